package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.BrickInfo;
import io.tesserafs.fabric.brick.FlushRange;
import io.tesserafs.fabric.brick.Mapping;
import io.tesserafs.fabric.brick.Provider;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.brick.Transfer;
import io.tesserafs.fabric.tcp.RemoteKey;
import io.tesserafs.fabric.tcp.TcpBricks;
import java.util.ArrayList;
import java.util.List;
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
    public List<Mapping> mapAll(Access access, int soon, List<BlockId> ids) throws BrickException {
        forgetTheDead();
        InitiatorQueuePair qp = rdma.live();
        int keys = qp == null ? 0 : Math.min(Math.min(soon, ids.size()), TcpBricks.MAX_KEYS);
        List<Mapping> beneaths = TcpBricks.mapWithKeys(beneath, access, qp == null ? 0 : qp.number(), keys, ids);
        Neighbours neighbours = new Neighbours(rdma, ids.size(), keys);
        List<Mapping> all = new ArrayList<>(ids.size());
        for (int i = 0; i < ids.size(); i++) {
            BlockHandle made = beneaths.get(i).handleOrNull();
            if (made == null) {
                all.add(beneaths.get(i));
                continue;
            }
            VerbsHandle handle = new VerbsHandle(made, memoryOnly, rdma, neighbours, i);
            RemoteKey key = TcpBricks.remoteKey(made);
            if (qp != null && key != null) {
                handle.prepared(qp, key);
            }
            neighbours.add(i, handle);
            handles.add(handle);
            all.add(Mapping.of(handle));
        }
        return all;
    }

    @Override
    public boolean owns(BlockHandle handle) {
        return handle instanceof VerbsHandle mine && mine.isOf(rdma);
    }

    @Override
    public void unmapAll(List<BlockHandle> some) {
        List<BlockHandle> beneaths = new ArrayList<>(some.size());
        for (BlockHandle handle : some) {
            if (!owns(handle)) {
                throw new IllegalArgumentException("not mapped through this client: " + handle);
            }
            beneaths.add(((VerbsHandle) handle).beneath());
        }
        for (BlockHandle handle : some) {
            if (handle instanceof VerbsHandle mine && handles.remove(mine)) {
                mine.kill();
            }
        }
        beneath.unmapAll(beneaths);
    }

    @Override
    public void flushAll(List<FlushRange> ranges) throws BrickException {
        for (FlushRange range : ranges) {
            if (!owns(range.handle())) {
                throw new IllegalArgumentException("not mapped through this client: " + range);
            }
        }
        InitiatorQueuePair qp = rdma.live();
        if (qp == null || !FlushStep.all(qp, ranges, beneath)) {
            BrickClient.super.flushAll(ranges);
        }
    }

    @Override
    public void readAll(List<Transfer> transfers) throws BrickException {
        List<Transfer> all = List.copyOf(transfers); // what was checked is what is made
        Transfer.checkReads(this, all);
        TransferBatch.run(OneSided.READ, rdma, all);
    }

    @Override
    public void writeAll(List<Transfer> transfers) throws BrickException {
        List<Transfer> all = List.copyOf(transfers); // what was checked is what is made
        Transfer.checkWrites(this, all);
        TransferBatch.run(OneSided.WRITE, rdma, all);
    }

    /** Those that the target killed. */
    private void forgetTheDead() {
        List<VerbsHandle> dead =
                handles.stream().filter(handle -> !handle.beneath().alive()).toList();
        dead.forEach(VerbsHandle::leave);
        dead.forEach(handles::remove);
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
