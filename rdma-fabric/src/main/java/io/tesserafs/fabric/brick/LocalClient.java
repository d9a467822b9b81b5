package io.tesserafs.fabric.brick;

import java.util.ArrayList;
import java.util.List;

/** One session's calls to a brick in this process. */
final class LocalClient implements BrickClient {
    private final LocalBrick target;
    private final SessionId session;
    private final boolean forPeer;

    LocalClient(LocalBrick target, SessionId session, boolean forPeer) {
        this.target = target;
        this.session = session;
        this.forPeer = forPeer;
    }

    boolean isForPeer() {
        return forPeer;
    }

    @Override
    public BrickId brick() {
        return target.id();
    }

    @Override
    public SessionId session() {
        return session;
    }

    @Override
    public int losses() {
        return target.pool().losses();
    }

    @Override
    public Provider provider() {
        return Provider.LOCAL;
    }

    @Override
    public BrickInfo info() {
        return target.info();
    }

    @Override
    public void alloc(BlockId... ids) throws BrickException {
        target.alloc(session, ids);
    }

    @Override
    public void free(BlockId... ids) throws BrickException {
        target.free(session, ids);
    }

    @Override
    public List<Mapping> mapAll(Access access, int soon, List<BlockId> ids) throws BrickException {
        return target.map(this, access, ids);
    }

    @Override
    public boolean owns(BlockHandle handle) {
        return handle instanceof LocalHandle local && local.client() == this;
    }

    @Override
    public void unmapAll(List<BlockHandle> handles) {
        List<LocalHandle> mine = new ArrayList<>(handles.size());
        for (BlockHandle handle : handles) {
            if (!owns(handle)) {
                throw new IllegalArgumentException("not mapped through this client: " + handle);
            }
            mine.add((LocalHandle) handle);
        }
        target.unmap(mine);
    }

    @Override
    public long[] list(BlockId from, int max) throws BrickException {
        return target.list(session, from, max);
    }

    @Override
    public void fence(SessionId victim) throws BrickException {
        target.fence(session, victim);
    }

    @Override
    public void close() {
        target.release(this);
    }
}
