package io.tesserafs.fabric.brick;

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
    public BlockHandle map(BlockId id, Access access) throws BrickException {
        return target.map(this, id, access);
    }

    @Override
    public void unmap(BlockHandle handle) {
        if (!(handle instanceof LocalHandle local) || local.client() != this) {
            throw new IllegalArgumentException("not mapped through this client: " + handle);
        }
        target.unmap(local);
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
