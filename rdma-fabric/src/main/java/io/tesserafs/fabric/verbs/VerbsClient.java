package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.BrickInfo;
import io.tesserafs.fabric.brick.Provider;
import io.tesserafs.fabric.brick.SessionId;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** A client of a peer's brick: calls go as those of the client beneath it, bytes by RDMA. */
final class VerbsClient implements BrickClient {
    private final BrickClient beneath;
    private final boolean memoryOnly;
    private final VerbsSession rdma;
    private final Set<VerbsHandle> handles = ConcurrentHashMap.newKeySet();

    /** @param memoryOnly whether the brick has nothing to persist to */
    VerbsClient(BrickClient beneath, boolean memoryOnly, VerbsSession rdma) {
        this.beneath = beneath;
        this.memoryOnly = memoryOnly;
        this.rdma = rdma;
    }

    @Override
    public BrickId brick() {
        return beneath.brick();
    }

    @Override
    public SessionId session() {
        return beneath.session();
    }

    @Override
    public int losses() {
        return beneath.losses();
    }

    @Override
    public Provider provider() {
        return rdma.isOver() ? beneath.provider() : Provider.VERBS;
    }

    @Override
    public BrickInfo info() {
        return beneath.info();
    }

    @Override
    public void alloc(BlockId... ids) throws BrickException {
        beneath.alloc(ids);
    }

    @Override
    public void free(BlockId... ids) throws BrickException {
        beneath.free(ids);
    }

    @Override
    public BlockHandle map(BlockId id, Access access) throws BrickException {
        handles.removeIf(handle -> !handle.beneath().alive());
        VerbsHandle handle = new VerbsHandle(beneath.map(id, access), memoryOnly, rdma);
        handles.add(handle);
        return handle;
    }

    @Override
    public void unmap(BlockHandle handle) {
        if (!(handle instanceof VerbsHandle mine)) {
            throw new IllegalArgumentException("not mapped through this client: " + handle);
        }
        if (handles.remove(mine)) {
            mine.kill();
        }
        beneath.unmap(mine.beneath()); // refuses what is not of this client
    }

    @Override
    public long[] list(BlockId from, int max) throws BrickException {
        return beneath.list(from, max);
    }

    @Override
    public void fence(SessionId victim) throws BrickException {
        beneath.fence(victim);
    }

    @Override
    public void close() {
        handles.forEach(VerbsHandle::kill);
        handles.clear();
        rdma.close();
        beneath.close();
    }
}
