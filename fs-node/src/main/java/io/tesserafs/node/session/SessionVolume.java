package io.tesserafs.node.session;

import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.SetAttr;
import io.tesserafs.node.namespace.Extent;
import io.tesserafs.node.namespace.ExtentRef;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.VolumeService;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A volume's owner, wherever it is at the moment: plain calls while it is in this process, messages while it is not. A call that meets the end of an
 * owner in this process is made anew with the next one. Thread-safe.
 */
final class SessionVolume implements VolumeService {
    private interface Call<T extends @Nullable Object> {
        T on(VolumeService owner) throws FsException;
    }

    private final NodeSession session;
    private final RemoteVolume remote;
    private final LettingGo lettingGo;

    SessionVolume(NodeSession session, RemoteVolume remote) {
        this.session = session;
        this.remote = remote;
        this.lettingGo = new LettingGo(remote);
    }

    @Override
    public boolean mayWait() {
        return session.ownerHere() == null;
    }

    private <T extends @Nullable Object> T call(Call<T> call) throws FsException {
        while (true) {
            OwnedVolume here = session.ownerHere();
            if (here == null) {
                return call.on(remote);
            }
            try {
                return call.on(here.service());
            } catch (FsException e) {
                if (e.errno() != Errno.EIO || !session.isGone(here)) {
                    throw e;
                }
                session.awaitLink();
            }
        }
    }

    /**
     * As {@link #call}, for what changes the namespace: it takes effect once. Whether it did at an owner that came to its end meanwhile, the next one
     * knows by the call's number.
     */
    private <T extends @Nullable Object> T change(Call<T> call) throws FsException {
        OwnedVolume here = session.ownerHere();
        if (here == null) {
            return call.on(remote);
        }
        NodeSession.PendingCall pending = session.beginCall();
        try {
            try {
                return here.service().as(session.tag(pending)).call(() -> call.on(here.service()));
            } catch (FsException e) {
                if (e.errno() != Errno.EIO || !session.isGone(here)) {
                    throw e;
                }
            }
            return ScopedValue.where(NodeSession.REPEATED, pending).call(() -> call.on(remote));
        } finally {
            session.endCall(pending);
        }
    }

    @Override
    public @Nullable InodeAttr known(long ino) {
        return session.ownerHere() == null ? remote.known(ino) : null;
    }

    @Override
    public long knownName(long parent, byte[] name) {
        return session.ownerHere() == null ? remote.knownName(parent, name) : UNKNOWN;
    }

    @Override
    public @Nullable InodeAttr lookup(long parent, byte[] name) throws FsException {
        return call(owner -> owner.lookup(parent, name));
    }

    @Override
    public InodeAttr getattr(long ino) throws FsException {
        return call(owner -> owner.getattr(ino));
    }

    @Override
    public long parent(long dir) throws FsException {
        return call(owner -> owner.parent(dir));
    }

    @Override
    public byte[] readlink(long ino) throws FsException {
        return call(owner -> owner.readlink(ino));
    }

    @Override
    public InodeAttr create(
            long parent, byte[] name, int mode, int rdev, byte @Nullable [] target, Creator creator, long nowNs)
            throws FsException {
        return change(owner -> owner.create(parent, name, mode, rdev, target, creator, nowNs));
    }

    @Override
    public InodeAttr createOrphan(long parent, int mode, Creator creator, long nowNs) throws FsException {
        return change(owner -> owner.createOrphan(parent, mode, creator, nowNs));
    }

    @Override
    public InodeAttr link(long ino, long newParent, byte[] newName, long nowNs) throws FsException {
        return change(owner -> owner.link(ino, newParent, newName, nowNs));
    }

    @Override
    public Unlinked unlink(long parent, byte[] name, long nowNs) throws FsException {
        return change(owner -> owner.unlink(parent, name, nowNs));
    }

    @Override
    public Unlinked rmdir(long parent, byte[] name, long nowNs) throws FsException {
        return change(owner -> owner.rmdir(parent, name, nowNs));
    }

    @Override
    public @Nullable Unlinked rename(long parent, byte[] name, long newParent, byte[] newName, int flags, long nowNs)
            throws FsException {
        return change(owner -> owner.rename(parent, name, newParent, newName, flags, nowNs));
    }

    @Override
    public InodeAttr setattr(long ino, SetAttr change, long nowNs) throws FsException {
        return change(owner -> owner.setattr(ino, change, nowNs));
    }

    @Override
    public InodeAttr truncate(long ino, long size, boolean killSuidGid, long nowNs) throws FsException {
        return change(owner -> owner.truncate(ino, size, killSuidGid, nowNs));
    }

    @Override
    public byte[] getxattr(long ino, byte[] name) throws FsException {
        return call(owner -> owner.getxattr(ino, name));
    }

    @Override
    public byte[] listxattr(long ino) throws FsException {
        return call(owner -> owner.listxattr(ino));
    }

    @Override
    public void setxattr(long ino, byte[] name, byte[] value, int flags, long nowNs) throws FsException {
        change(owner -> {
            owner.setxattr(ino, name, value, flags, nowNs);
            return true;
        });
    }

    @Override
    public void removexattr(long ino, byte[] name, long nowNs) throws FsException {
        change(owner -> {
            owner.removexattr(ino, name, nowNs);
            return true;
        });
    }

    @Override
    public List<Extent> layout(long ino, long fromTile, long toTile) throws FsException {
        return call(owner -> owner.layout(ino, fromTile, toTile));
    }

    @Override
    public ExtentRef allocate(int bytes, BrickId preferred) throws FsException {
        return call(owner -> owner.allocate(bytes, preferred));
    }

    @Override
    public ExtentRef allocateOn(BrickId brick, int bytes) throws FsException {
        return call(owner -> owner.allocateOn(brick, bytes));
    }

    @Override
    public InodeAttr commit(long ino, DataCommit commit) throws FsException {
        return change(owner -> owner.commit(ino, commit));
    }

    @Override
    public void sync() throws FsException {
        call(owner -> {
            owner.sync();
            return true;
        });
    }

    @Override
    public void readdir(long dir, long cookie, EntrySink sink) throws FsException {
        list(sink, (owner, entries) -> owner.readdir(dir, cookie, entries));
    }

    @Override
    public void readdirPlus(long dir, long cookie, EntrySink sink) throws FsException {
        list(sink, (owner, entries) -> owner.readdirPlus(dir, cookie, entries));
    }

    private interface ListCall {
        void on(VolumeService owner, EntrySink entries) throws FsException;
    }

    private void list(EntrySink sink, ListCall call) throws FsException {
        if (session.ownerHere() == null) {
            call.on(remote, sink);
            return;
        }
        Relisting entries = new Relisting(sink);
        call(owner -> {
            entries.again();
            call.on(owner, entries);
            return true;
        });
        entries.done();
    }

    @Override
    public void release(ExtentRef unused) {
        any().release(unused);
    }

    @Override
    public void unreferenced(long ino) {
        OwnedVolume here = session.ownerHere();
        if (here == null) {
            lettingGo.add(ino);
        } else {
            here.unreferenced(session.id(), ino);
        }
    }

    @Override
    public Statistics statistics() {
        return any().statistics();
    }

    private VolumeService any() {
        OwnedVolume here = session.ownerHere();
        return here == null ? remote : here.service();
    }
}
