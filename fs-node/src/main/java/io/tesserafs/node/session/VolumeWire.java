package io.tesserafs.node.session;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.SetAttr;
import io.tesserafs.node.namespace.Extent;
import io.tesserafs.node.namespace.ExtentRef;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.UnavailableException;
import io.tesserafs.node.namespace.VolumeService;
import io.tesserafs.node.namespace.VolumeService.DataCommit;
import io.tesserafs.node.namespace.VolumeService.Unlinked;
import io.tesserafs.node.session.WireIn.MalformedException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How the values of {@link VolumeService} travel. A request is {@code u8 version · u8 operation · arguments in order}; an answer
 * {@code i32 errno}, then {@code i64 began · i64 ended · result} if that is 0, else a message. {@code began} and {@code ended} count the owner's calls
 * ({@link KnownMetadata}). Attributes have an i64 behind them, as have names: the sequence of the token that came with them, or 0. Numbers are little-endian, byte strings have an i32 length in front,
 * what may be absent a flag byte.
 */
final class VolumeWire {
    static final int VERSION = 2;
    /** In an answer, in place of an errno: {@link UnavailableException}. No operation fails with it otherwise. */
    static final int UNAVAILABLE = Errno.EAGAIN;

    static final int MAX_NAME_BYTES = 255;
    static final int MAX_MESSAGE_BYTES = 4096;
    private static final int EXTENT_BYTES = 28;

    /** Operations; positions are codes on the wire. */
    enum Op {
        LOOKUP,
        GETATTR,
        PARENT,
        READLINK,
        READDIR,
        CREATE,
        CREATE_ORPHAN,
        LINK,
        UNLINK,
        RMDIR,
        RENAME,
        SETATTR,
        TRUNCATE,
        GETXATTR,
        LISTXATTR,
        SETXATTR,
        REMOVEXATTR,
        LAYOUT,
        ALLOCATE,
        RELEASE,
        COMMIT,
        UNREFERENCED,
        SYNC,
        STATISTICS,
        LOCK_GET,
        LOCK_SET,
        LOCK_CANCEL,
        LOCK_UNLOCK,
        LOCK_RELEASE,
        LOCK_RESTORE,
        ALLOCATE_ON
    }

    private static final List<Op> OPS = List.of(Op.values());

    private VolumeWire() {}

    static WireOut request(Op op) {
        return new WireOut().u8(VERSION).u8(OPS.indexOf(op));
    }

    /** The operation of a request that was made here. */
    static Op opOf(ByteBuffer request) {
        return OPS.get(request.get(request.position() + 1));
    }

    static Op op(WireIn in) throws MalformedException {
        int version = in.u8();
        if (version != VERSION) {
            throw new MalformedException("version " + version);
        }
        int op = in.u8();
        if (op >= OPS.size()) {
            throw new MalformedException("operation " + op);
        }
        return OPS.get(op);
    }

    static void attr(WireOut out, InodeAttr a) {
        out.i64(a.ino()).i32(a.mode()).i32(a.nlink()).i32(a.uid()).i32(a.gid()).i32(a.rdev());
        out.i64(a.size())
                .i64(a.blocks())
                .i64(a.atimeNs())
                .i64(a.mtimeNs())
                .i64(a.ctimeNs())
                .i64(a.btimeNs());
    }

    static InodeAttr attr(WireIn in) throws MalformedException {
        return new InodeAttr(
                in.i64(), in.i32(), in.i32(), in.i32(), in.i32(), in.i32(), in.i64(), in.i64(), in.i64(), in.i64(),
                in.i64(), in.i64());
    }

    static void attr(WireOut out, InodeAttr a, long sequence) {
        attr(out, a);
        out.i64(sequence);
    }

    /** A directory after a change: the sequence for its names and attributes, and these if they are known. */
    static void directory(WireOut out, long sequence, @Nullable InodeAttr a) {
        out.i64(sequence).flag(a != null);
        if (a != null) {
            attr(out, a);
        }
    }

    /** Of an answer, after its errno. */
    static KnownMetadata.Span span(WireIn in) throws MalformedException {
        return new KnownMetadata.Span(in.i64(), in.i64());
    }

    /** What goes ahead of a grant: attributes, of that moment and as good as the grant. */
    static ByteBuffer attributes(InodeAttr a, long sequence, long moment) {
        WireOut out = new WireOut().i64(moment);
        attr(out, a, sequence);
        return out.done();
    }

    static void unlinked(WireOut out, @Nullable Unlinked gone) {
        out.flag(gone != null);
        if (gone != null) {
            out.i64(gone.ino()).i32(gone.nlink());
        }
    }

    static @Nullable Unlinked unlinked(WireIn in) throws MalformedException {
        return in.flag() ? new Unlinked(in.i64(), in.i32()) : null;
    }

    static void ref(WireOut out, ExtentRef ref) {
        out.i32(ref.brick().value()).i64(ref.block().value()).i32(ref.offset()).i32(ref.bytes());
    }

    static ExtentRef ref(WireIn in) throws MalformedException {
        try {
            return new ExtentRef(new BrickId(in.i32()), new BlockId(in.i64()), in.i32(), in.i32());
        } catch (IllegalArgumentException e) {
            throw new MalformedException(String.valueOf(e.getMessage()));
        }
    }

    static void extents(WireOut out, List<Extent> extents) {
        out.i32(extents.size());
        for (Extent extent : extents) {
            out.i64(extent.tile());
            ref(out, extent.ref());
            out.i32(extent.validBytes());
        }
    }

    static List<Extent> extents(WireIn in) throws MalformedException {
        int count = in.count(EXTENT_BYTES);
        List<Extent> extents = new ArrayList<>(count);
        try {
            for (int i = 0; i < count; i++) {
                long tile = in.i64();
                extents.add(new Extent(tile, ref(in), in.i32()));
            }
            return extents;
        } catch (IllegalArgumentException e) {
            throw new MalformedException(String.valueOf(e.getMessage()));
        }
    }

    static void setAttr(WireOut out, SetAttr c) {
        out.i32(c.valid()).i32(c.mode()).i32(c.uid()).i32(c.gid());
        out.i64(c.size()).i64(c.atimeNs()).i64(c.mtimeNs()).i64(c.ctimeNs());
    }

    static SetAttr setAttr(WireIn in) throws MalformedException {
        return new SetAttr(
                in.i32(),
                io.tesserafs.fuse.FileSystem.NO_HANDLE,
                in.i32(),
                in.i32(),
                in.i32(),
                in.i64(),
                in.i64(),
                in.i64(),
                in.i64());
    }

    static void commit(WireOut out, DataCommit c) {
        extents(out, c.extents());
        out.i32(c.holes().length);
        for (long hole : c.holes()) {
            out.i64(hole);
        }
        out.i64(c.size()).i64(c.mtimeNs()).i64(c.ctimeNs()).i64(c.atimeNs());
        out.flag(c.durable()).flag(c.clearSuidGid());
    }

    static DataCommit commit(WireIn in) throws MalformedException {
        List<Extent> extents = extents(in);
        long[] holes = new long[in.count(Long.BYTES)];
        for (int i = 0; i < holes.length; i++) {
            holes[i] = in.i64();
        }
        return new DataCommit(extents, holes, in.i64(), in.i64(), in.i64(), in.i64(), in.flag(), in.flag());
    }
}
