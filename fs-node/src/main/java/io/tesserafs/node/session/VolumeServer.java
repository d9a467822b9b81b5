package io.tesserafs.node.session;

import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.Resource;
import io.tesserafs.coherence.token.TokenMessage;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.Applied;
import io.tesserafs.node.namespace.Extent;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.RequestTag;
import io.tesserafs.node.namespace.UnavailableException;
import io.tesserafs.node.namespace.VolumeOwner;
import io.tesserafs.node.namespace.VolumeService;
import io.tesserafs.node.namespace.VolumeService.Creator;
import io.tesserafs.node.namespace.VolumeService.Unlinked;
import io.tesserafs.node.session.WireIn.MalformedException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Carries out the requests of other nodes on a volume of this one. Thread-safe. */
final class VolumeServer {
    private static final Logger LOG = LoggerFactory.getLogger(VolumeServer.class);
    /** Entries and attributes in one answer; the node comes back for more. */
    private static final int MAX_READDIR_BYTES = 256 << 10;

    private static final int ATTR_BYTES = 84;
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

    /** Calls of one epoch: far more than an owner can answer in its life. */
    private static final int MOMENT_BITS = 40;

    private static final int ENDED_OFFSET = Integer.BYTES + Long.BYTES;

    private final VolumeOwner service;
    /** Counts beginnings and ends of calls. */
    private final AtomicLong moments;

    /** @param epoch of the owner; what a later one says counts as later */
    VolumeServer(VolumeOwner service, long epoch) {
        this.service = service;
        this.moments = new AtomicLong(epoch << MOMENT_BITS);
    }

    private WireOut begin() {
        return new WireOut().i32(0).i64(moments.incrementAndGet()).i64(0);
    }

    private ByteBuffer end(WireOut out) {
        out.setI64(ENDED_OFFSET, moments.incrementAndGet());
        return out.done();
    }

    /** As {@link #serve}, but what a former owner did for the same request is not done again. Its answer is given as of now. */
    ByteBuffer serveOnce(ByteBuffer request, RequestTag tag, SessionCalls calls) {
        try {
            VolumeWire.Op op = VolumeWire.op(new WireIn(request.duplicate().order(ByteOrder.LITTLE_ENDIAN)));
            Applied applied = CHANGES.contains(op) ? service.applied(tag.session(), tag.number()) : null;
            if (applied != null) {
                WireOut out = begin();
                answerAgain(op, applied, out);
                return end(out);
            }
        } catch (FsException e) {
            return failed(e);
        } catch (MalformedException e) {
            return failed(Errno.EINVAL, "malformed request: " + e.getMessage());
        }
        return service.as(tag).call(() -> serve(request, calls));
    }

    /** What the node will want to know that gets this grant, as of now, which is after it was made; null if it is about something else. */
    @Nullable
    ByteBuffer attributesFor(TokenMessage.Grant grant) {
        if (grant.resource().kind() == Resource.Kind.DATA || grant.toByte() != FileTokens.TO_END) {
            return null;
        }
        try {
            long moment = moments.incrementAndGet();
            return VolumeWire.attributes(service.getattr(grant.resource().inode()), grant.sequence(), moment);
        } catch (FsException e) {
            LOG.trace("{} was granted, and is gone", grant.resource(), e);
            return null;
        }
    }

    /** No tokens come with it, and nothing to remember. */
    private void answerAgain(VolumeWire.Op op, Applied applied, WireOut out) throws FsException {
        switch (op) {
            case UNLINK, RMDIR -> {
                VolumeWire.unlinked(out, new Unlinked(applied.ino(), applied.nlink()));
                VolumeWire.directory(out, 0, null);
            }
            case RENAME -> {
                VolumeWire.unlinked(out, applied.ino() == 0 ? null : new Unlinked(applied.ino(), applied.nlink()));
                VolumeWire.directory(out, 0, null);
                VolumeWire.directory(out, 0, null);
                out.flag(false).flag(false);
            }
            case SETXATTR, REMOVEXATTR -> {} // their answers are empty
            case CREATE -> {
                VolumeWire.attr(out, service.getattr(applied.ino()), 0);
                VolumeWire.directory(out, 0, null);
                out.flag(false);
            }
            case LINK -> {
                VolumeWire.attr(out, service.getattr(applied.ino()), 0);
                VolumeWire.directory(out, 0, null);
            }
            default -> VolumeWire.attr(out, service.getattr(applied.ino()), 0);
        }
    }

    /** Never fails: what goes wrong is in the answer. */
    ByteBuffer serve(ByteBuffer request, SessionCalls calls) {
        try {
            WireIn in = new WireIn(request);
            WireOut out = begin();
            VolumeWire.Op op = VolumeWire.op(in);
            if (!calls.run(op, in, out)) {
                run(op, in, out, calls.offers());
            }
            in.end();
            return end(out);
        } catch (FsException e) {
            return failed(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return failed(Errno.EIO, "the owner stops");
        } catch (MalformedException | IllegalArgumentException e) {
            return failed(Errno.EINVAL, "malformed request: " + e.getMessage());
        }
    }

    private static ByteBuffer failed(FsException e) {
        int code = e instanceof UnavailableException ? VolumeWire.UNAVAILABLE : e.errno();
        return failed(code, String.valueOf(e.getMessage()));
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

    private void run(VolumeWire.Op op, WireIn in, WireOut out, Offers offers) throws FsException, MalformedException {
        switch (op) {
            case LOOKUP -> {
                long dir = in.i64();
                long names = offers.names(dir);
                InodeAttr found = service.lookup(dir, name(in));
                out.i64(names).flag(found != null);
                if (found != null) {
                    offered(out, found, offers.attributes(found));
                }
            }
            case GETATTR -> {
                InodeAttr attr = service.getattr(in.i64());
                offered(out, attr, offers.attributes(attr));
            }
            case PARENT -> out.i64(service.parent(in.i64()));
            case READLINK -> out.bytes(service.readlink(in.i64()));
            case READDIR -> readdir(in, out, offers);
            case CREATE -> create(in, out, offers);
            case CREATE_ORPHAN -> {
                InodeAttr attr = service.createOrphan(in.i64(), in.i32(), creator(in), in.i64());
                offered(out, attr, offers.made(attr));
            }
            case LINK -> {
                long ino = in.i64();
                long dir = in.i64();
                InodeAttr attr = service.link(ino, dir, name(in), in.i64());
                offers.linkCount(ino);
                offered(out, attr, offers.attributes(attr));
                directory(out, dir, offers);
            }
            case UNLINK -> {
                long dir = in.i64();
                unlinked(out, service.unlink(dir, name(in), in.i64()), offers);
                directory(out, dir, offers);
            }
            case RMDIR -> {
                long dir = in.i64();
                Unlinked gone = service.rmdir(dir, name(in), in.i64());
                offers.removed(gone.ino());
                VolumeWire.unlinked(out, gone);
                directory(out, dir, offers);
            }
            case RENAME -> {
                long from = in.i64();
                byte[] name = name(in);
                long to = in.i64();
                byte[] newName = name(in);
                unlinked(out, service.rename(from, name, to, newName, in.i32(), in.i64()), offers);
                directory(out, from, offers);
                directory(out, to, offers);
                moved(out, from, name, offers);
                moved(out, to, newName, offers);
            }
            default -> runOnFile(op, in, out, offers);
        }
    }

    private static Creator creator(WireIn in) throws MalformedException {
        return new Creator(in.i32(), in.i32());
    }

    private void create(WireIn in, WireOut out, Offers offers) throws FsException, MalformedException {
        long dir = in.i64();
        InodeAttr attr = service.create(
                dir,
                name(in),
                in.i32(),
                in.i32(),
                in.bytesOrNull(VolumeService.MAX_SYMLINK_BYTES),
                creator(in),
                in.i64());
        offered(out, attr, offers.made(attr));
        directory(out, dir, offers);
        out.flag(attr.isDirectory() && offers.hasAllOf(attr) && isEmpty(attr.ino()));
    }

    /** What became of a directory in which something was changed. */
    private void directory(WireOut out, long dir, Offers offers) {
        long sequence = offers.names(dir);
        InodeAttr attr = null;
        try {
            attr = sequence == 0 ? null : service.getattr(dir);
        } catch (FsException e) {
            LOG.trace("directory {} has just gone", dir, e);
        }
        VolumeWire.directory(out, sequence, attr);
    }

    /** What has the name now: known or not, there or not, which. */
    private void moved(WireOut out, long dir, byte[] name, Offers offers) {
        try {
            InodeAttr attr = service.lookup(dir, name);
            out.flag(true).flag(attr != null);
            if (attr != null) {
                offers.changed(attr);
                offered(out, attr, offers.attributesHeld(attr));
            }
        } catch (FsException e) {
            LOG.trace("directory {} has just gone", dir, e);
            out.flag(false);
        }
    }

    /** Nobody who was faster than the offer has left anything there. */
    private boolean isEmpty(long dir) {
        boolean[] any = new boolean[1];
        try {
            service.readdir(dir, 0, (name, next, attr) -> {
                any[0] = true;
                return false;
            });
        } catch (FsException e) {
            LOG.trace("directory {} has just gone", dir, e);
            return false;
        }
        return !any[0];
    }

    private static void unlinked(WireOut out, @Nullable Unlinked gone, Offers offers) {
        if (gone != null) {
            offers.linkCount(gone.ino());
        }
        VolumeWire.unlinked(out, gone);
    }

    /** What was read before the offer may have changed by then. */
    private void offered(WireOut out, InodeAttr before, long sequence) {
        if (sequence != 0) {
            try {
                VolumeWire.attr(out, service.getattr(before.ino()), sequence);
                return;
            } catch (FsException e) {
                LOG.trace("inode {} has just gone", before.ino(), e);
            }
        }
        VolumeWire.attr(out, before, 0);
    }

    private void runOnFile(VolumeWire.Op op, WireIn in, WireOut out, Offers offers)
            throws FsException, MalformedException {
        switch (op) {
            case SETATTR -> changed(out, service.setattr(in.i64(), VolumeWire.setAttr(in), in.i64()), offers);
            case TRUNCATE -> changed(out, service.truncate(in.i64(), in.i64(), in.flag(), in.i64()), offers);
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
            case ALLOCATE_ON -> VolumeWire.ref(out, service.allocateOn(new BrickId(in.i32()), in.i32()));
            case RELEASE -> service.release(VolumeWire.ref(in));
            case COMMIT -> changed(out, service.commit(in.i64(), VolumeWire.commit(in)), offers);
            case SYNC -> service.sync();
            case STATISTICS -> {
                VolumeService.Statistics s = service.statistics();
                out.i64(s.blocks()).i64(s.free()).i64(s.available());
                out.i32(s.blockBytes()).i64(s.inodes()).i64(s.freeInodes());
            }
            default -> throw new MalformedException("operation " + op);
        }
    }

    private void changed(WireOut out, InodeAttr attr, Offers offers) {
        offered(out, attr, offers.attributesHeld(attr));
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

    private void readdir(WireIn in, WireOut out, Offers offers) throws FsException, MalformedException {
        long dir = in.i64();
        long cookie = in.i64();
        int most = in.i32();
        boolean plus = in.flag();
        out.i64(offers.names(dir));
        List<InodeAttr> found = new ArrayList<>();
        WireOut names = new WireOut();
        List<Integer> ends = new ArrayList<>();
        service.readdir(dir, cookie, (name, next, attr) -> {
            if (found.size() >= most || names.size() + found.size() * ATTR_BYTES > MAX_READDIR_BYTES) {
                return false;
            }
            names.bytes(name).i64(next);
            ends.add(names.size());
            found.add(attr);
            return true;
        });
        long[] sequences = plus ? offers.attributes(found) : new long[found.size()];
        out.i32(found.size());
        ByteBuffer said = names.done();
        for (int i = 0; i < sequences.length; i++) {
            out.bytes(said.limit(ends.get(i)));
            offered(out, found.get(i), sequences[i]);
        }
    }
}
