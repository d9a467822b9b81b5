package io.tesserafs.node.session;

import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.Applied;
import io.tesserafs.node.namespace.Extent;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.RequestTag;
import io.tesserafs.node.namespace.VolumeOwner;
import io.tesserafs.node.namespace.VolumeService;
import io.tesserafs.node.namespace.VolumeService.Creator;
import io.tesserafs.node.namespace.VolumeService.Unlinked;
import io.tesserafs.node.session.WireIn.MalformedException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** Carries out the requests of other nodes on a volume of this one. Thread-safe. */
final class VolumeServer {
    /** Entries and attributes in one answer; the node comes back for more. */
    private static final int MAX_READDIR_BYTES = 256 << 10;
    /** Extents in one answer to LAYOUT. */
    static final int MAX_LAYOUT_EXTENTS = 64 << 10;
    /** Extents in one answer to ALLOCATE. */
    private static final int MAX_ALLOCATE = 256;

    /** Calls that change the namespace: repeated ones are recognised by later owners too. */
    private static final Set<VolumeWire.Op> CHANGES = EnumSet.of(
            VolumeWire.Op.CREATE,
            VolumeWire.Op.CREATE_ORPHAN,
            VolumeWire.Op.LINK,
            VolumeWire.Op.UNLINK,
            VolumeWire.Op.RMDIR,
            VolumeWire.Op.RENAME,
            VolumeWire.Op.SETATTR,
            VolumeWire.Op.TRUNCATE,
            VolumeWire.Op.SETXATTR,
            VolumeWire.Op.REMOVEXATTR,
            VolumeWire.Op.COMMIT);

    private final VolumeOwner service;

    VolumeServer(VolumeOwner service) {
        this.service = service;
    }

    /** As {@link #serve}, but what a former owner did for the same request is not done again. Its answer is given as of now. */
    ByteBuffer serveOnce(ByteBuffer request, RequestTag tag, SessionCalls locks) {
        try {
            VolumeWire.Op op = VolumeWire.op(new WireIn(request.duplicate().order(ByteOrder.LITTLE_ENDIAN)));
            Applied applied = CHANGES.contains(op) ? service.applied(tag.session(), tag.number()) : null;
            if (applied != null) {
                WireOut out = new WireOut().i32(0);
                answerAgain(op, applied, out);
                return out.done();
            }
        } catch (FsException e) {
            return failed(e.errno(), String.valueOf(e.getMessage()));
        } catch (MalformedException e) {
            return failed(Errno.EINVAL, "malformed request: " + e.getMessage());
        }
        return service.as(tag).call(() -> serve(request, locks));
    }

    private void answerAgain(VolumeWire.Op op, Applied applied, WireOut out) throws FsException {
        switch (op) {
            case UNLINK, RMDIR, RENAME ->
                VolumeWire.unlinked(out, applied.ino() == 0 ? null : new Unlinked(applied.ino(), applied.nlink()));
            case SETXATTR, REMOVEXATTR -> {} // their answers are empty
            default -> VolumeWire.attr(out, service.getattr(applied.ino()));
        }
    }

    /** Never fails: what goes wrong is in the answer. */
    ByteBuffer serve(ByteBuffer request, SessionCalls locks) {
        try {
            WireIn in = new WireIn(request);
            WireOut out = new WireOut().i32(0);
            VolumeWire.Op op = VolumeWire.op(in);
            if (!locks.run(op, in, out)) {
                run(op, in, out);
            }
            in.end();
            return out.done();
        } catch (FsException e) {
            return failed(e.errno(), String.valueOf(e.getMessage()));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return failed(Errno.EIO, "the owner stops");
        } catch (MalformedException | IllegalArgumentException e) {
            return failed(Errno.EINVAL, "malformed request: " + e.getMessage());
        }
    }

    private static ByteBuffer failed(int errno, String message) {
        byte[] text = message.getBytes(java.nio.charset.StandardCharsets.UTF_8);
        return new WireOut()
                .i32(errno)
                .bytes(text.length <= VolumeWire.MAX_MESSAGE_BYTES ? text : new byte[0])
                .done();
    }

    private static byte[] name(WireIn in) throws MalformedException {
        byte[] name = in.bytes(VolumeWire.MAX_NAME_BYTES);
        if (name.length == 0) {
            throw new MalformedException("an empty name");
        }
        return name;
    }

    private void run(VolumeWire.Op op, WireIn in, WireOut out) throws FsException, MalformedException {
        switch (op) {
            case LOOKUP -> {
                InodeAttr found = service.lookup(in.i64(), name(in));
                out.flag(found != null);
                if (found != null) {
                    VolumeWire.attr(out, found);
                }
            }
            case GETATTR -> VolumeWire.attr(out, service.getattr(in.i64()));
            case PARENT -> out.i64(service.parent(in.i64()));
            case READLINK -> out.bytes(service.readlink(in.i64()));
            case READDIR -> readdir(in, out);
            case CREATE ->
                VolumeWire.attr(
                        out,
                        service.create(
                                in.i64(),
                                name(in),
                                in.i32(),
                                in.i32(),
                                in.bytesOrNull(VolumeService.MAX_SYMLINK_BYTES),
                                new Creator(in.i32(), in.i32()),
                                in.i64()));
            case CREATE_ORPHAN ->
                VolumeWire.attr(
                        out, service.createOrphan(in.i64(), in.i32(), new Creator(in.i32(), in.i32()), in.i64()));
            case LINK -> VolumeWire.attr(out, service.link(in.i64(), in.i64(), name(in), in.i64()));
            case UNLINK -> VolumeWire.unlinked(out, service.unlink(in.i64(), name(in), in.i64()));
            case RMDIR -> VolumeWire.unlinked(out, service.rmdir(in.i64(), name(in), in.i64()));
            case RENAME ->
                VolumeWire.unlinked(out, service.rename(in.i64(), name(in), in.i64(), name(in), in.i32(), in.i64()));
            default -> runOnFile(op, in, out);
        }
    }

    private void runOnFile(VolumeWire.Op op, WireIn in, WireOut out) throws FsException, MalformedException {
        switch (op) {
            case SETATTR -> VolumeWire.attr(out, service.setattr(in.i64(), VolumeWire.setAttr(in), in.i64()));
            case TRUNCATE -> VolumeWire.attr(out, service.truncate(in.i64(), in.i64(), in.flag(), in.i64()));
            case GETXATTR -> out.bytes(service.getxattr(in.i64(), name(in)));
            case LISTXATTR -> out.bytes(service.listxattr(in.i64()));
            case SETXATTR ->
                service.setxattr(in.i64(), name(in), in.bytes(VolumeService.MAX_XATTR_BYTES), in.i32(), in.i64());
            case REMOVEXATTR -> service.removexattr(in.i64(), name(in), in.i64());
            case LAYOUT -> {
                List<Extent> extents = service.layout(in.i64(), in.i64(), in.i64());
                out.flag(extents.size() > MAX_LAYOUT_EXTENTS);
                VolumeWire.extents(out, extents.subList(0, Math.min(extents.size(), MAX_LAYOUT_EXTENTS)));
            }
            case ALLOCATE -> allocate(in, out);
            case RELEASE -> service.release(VolumeWire.ref(in));
            case COMMIT -> VolumeWire.attr(out, service.commit(in.i64(), VolumeWire.commit(in)));
            case SYNC -> service.sync();
            case STATISTICS -> {
                VolumeService.Statistics s = service.statistics();
                out.i64(s.blocks()).i64(s.free()).i64(s.available());
                out.i32(s.blockBytes()).i64(s.inodes()).i64(s.freeInodes());
            }
            default -> throw new MalformedException("operation " + op);
        }
    }

    /** As many as there are, up to the number asked for: the first alone decides whether there is space. */
    private void allocate(WireIn in, WireOut out) throws FsException, MalformedException {
        int bytes = in.i32();
        BrickId preferred = new BrickId(in.i32());
        int wanted = in.i32();
        if (wanted < 1 || wanted > MAX_ALLOCATE) {
            throw new MalformedException(wanted + " allocations");
        }
        int at = out.size();
        out.i32(0);
        int count = 0;
        try {
            for (; count < wanted; count++) {
                VolumeWire.ref(out, service.allocate(bytes, preferred));
            }
        } catch (FsException e) {
            if (count == 0) {
                throw e;
            }
        }
        out.setI32(at, count);
    }

    private void readdir(WireIn in, WireOut out) throws FsException, MalformedException {
        long dir = in.i64();
        long cookie = in.i64();
        int most = in.i32();
        int at = out.size();
        out.i32(0);
        int[] count = new int[1];
        service.readdir(dir, cookie, (name, next, attr) -> {
            if (count[0] >= most || out.size() > MAX_READDIR_BYTES) {
                return false;
            }
            out.bytes(name).i64(next);
            VolumeWire.attr(out, attr);
            count[0]++;
            return true;
        });
        out.setI32(at, count[0]);
    }
}
