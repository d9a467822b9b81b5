package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.BrickInfo;
import io.tesserafs.fabric.brick.FlushRange;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.Mapping;
import io.tesserafs.fabric.brick.Provider;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.pmem.FileIdentity;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.fabric.shm.HostProcess;
import io.tesserafs.fabric.shm.SharedBlock;
import io.tesserafs.fabric.shm.SharedPools;
import io.tesserafs.fabric.tcp.RemotePeer.Answer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One session's calls to a brick at the other end of a connection. When that ends, this is of no use any more. A call that fails as
 * UNREACHABLE may have been carried out.
 */
final class RemoteBrick implements BrickClient {
    private static final Logger LOG = LoggerFactory.getLogger(RemoteBrick.class);

    private final RemotePeer peer;
    private final BrickId brick;
    private final SessionId session;
    private final int number;
    private final AtomicBoolean closed = new AtomicBoolean();

    private final int losses;

    private volatile BrickInfo info;

    /** The brick's pool, mapped here; null if bytes travel by lanes. Set before anyone else has this. */
    private @Nullable Pool shared;

    private RemoteBrick(RemotePeer peer, SessionId session, int number, BrickInfo info) {
        this.peer = peer;
        this.brick = info.brick();
        this.session = session;
        this.number = number;
        this.losses = info.losses();
        this.info = info;
    }

    static RemoteBrick open(RemotePeer peer, BrickId brick, SessionId session) throws BrickException {
        Answer answer = peer.call(new BrickRequest.Open(brick, session));
        try {
            BrickInfo info = BrickAnswers.takeDescription(answer.rest());
            if (!info.brick().equals(brick)) {
                throw new ProtocolException("opened brick " + info.brick() + " instead of " + brick);
            }
            return new RemoteBrick(peer, session, answer.number(), info);
        } catch (ProtocolException e) {
            throw peer.unreachable(e);
        }
    }

    /** Maps the brick's pool if it is on this host and within reach. If not, nothing is lost but speed. */
    void attach(SharedPools pools) {
        try {
            Answer answer = peer.call(new BrickRequest.Attach(number, HostProcess.current()));
            FileIdentity file = BrickAnswers.takeAttached(answer.rest());
            Pool pool = pools.map(Path.of(info.path()), file, info.pool());
            if (pool.blocks() == info.totalBlocks()) {
                shared = pool;
            }
        } catch (IOException | InvalidPathException e) {
            LOG.debug("{} on {} is not mapped: {}", brick, peer, e.getMessage());
        }
    }

    @Override
    public BrickId brick() {
        return brick;
    }

    @Override
    public SessionId session() {
        return session;
    }

    @Override
    public int losses() {
        return losses;
    }

    @Override
    public Provider provider() {
        return shared == null ? Provider.TCP : Provider.SHM;
    }

    @Override
    public BrickInfo info() {
        try {
            Answer answer = peer.call(new BrickRequest.Describe(number));
            info = BrickAnswers.takeDescription(answer.rest());
        } catch (BrickException | ProtocolException e) {
            LOG.debug("{} on {} cannot be asked: {}", brick, peer, e.getMessage());
        }
        return info;
    }

    @Override
    public void alloc(BlockId... ids) throws BrickException {
        if (ids.length > 0) {
            peer.call(new BrickRequest.Alloc(number, checked(ids)));
        }
    }

    @Override
    public void free(BlockId... ids) throws BrickException {
        if (ids.length > 0) {
            peer.call(new BrickRequest.Free(number, checked(ids)));
        }
    }

    private static List<BlockId> checked(BlockId... ids) {
        if (ids.length > BrickCodec.MAX_IDS) {
            throw new IllegalArgumentException(ids.length + " ids in one call");
        }
        return List.of(ids);
    }

    @Override
    public List<Mapping> mapAll(Access access, int soon, List<BlockId> ids) throws BrickException {
        return mapAll(access, 0, 0, ids);
    }

    /** @param queuePair the first {@code keys} of the handles get remote keys for it, if the target can give one */
    List<Mapping> mapAll(Access access, int queuePair, int keys, List<BlockId> ids) throws BrickException {
        List<Mapping> all = new ArrayList<>(ids.size());
        boolean done = false;
        try {
            for (int from = 0; from < ids.size(); from += BrickCodec.MAX_MAPS) {
                List<BlockId> part = ids.subList(from, Math.min(from + BrickCodec.MAX_MAPS, ids.size()));
                all.addAll(mapOnce(access, queuePair, from == 0 ? keys : 0, part));
            }
            done = true;
            return all;
        } finally {
            if (!done) {
                unmapAll(all.stream()
                        .map(Mapping::handleOrNull)
                        .filter(Objects::nonNull)
                        .toList());
            }
        }
    }

    private List<Mapping> mapOnce(Access access, int queuePair, int keys, List<BlockId> ids) throws BrickException {
        List<MapAnswers.Outcome> outcomes;
        List<RemoteHandle> made = new ArrayList<>(ids.size());
        List<RemoteHandle> dead;
        boolean entered = false;
        peer.mapping();
        try {
            Answer answer = peer.call(
                    shared == null
                            ? new BrickRequest.Map(number, access, queuePair, keys, ids)
                            : new BrickRequest.MapShared(number, access, ids));
            outcomes = MapAnswers.take(answer.number(), ids.size(), answer.rest());
            for (int i = 0; i < ids.size(); i++) {
                if (outcomes.get(i) instanceof MapAnswers.Made one) {
                    SharedBlock view = view(shared, one.index(), access);
                    made.add(new RemoteHandle(peer, this, one.key(), ids.get(i), access, view, one.remote()));
                }
            }
            dead = peer.mapped(made);
            entered = true;
        } catch (ProtocolException e) {
            throw peer.unreachable(e);
        } finally {
            if (!entered) {
                peer.notMapped();
            }
        }
        buryStillborn(dead);
        return mappings(outcomes, made, dead);
    }

    private static List<Mapping> mappings(
            List<MapAnswers.Outcome> outcomes, List<RemoteHandle> made, List<RemoteHandle> dead) {
        List<Mapping> all = new ArrayList<>(outcomes.size());
        Iterator<RemoteHandle> next = made.iterator();
        for (MapAnswers.Outcome outcome : outcomes) {
            all.add(
                    switch (outcome) {
                        case MapAnswers.Refused refused -> Mapping.refused(refused.exception());
                        case MapAnswers.Made _ -> {
                            RemoteHandle handle = next.next();
                            yield dead.contains(handle)
                                    ? Mapping.refused(
                                            new BrickException(Reason.DEAD_HANDLE, handle + " died while it was made"))
                                    : Mapping.of(handle);
                        }
                    });
        }
        return all;
    }

    /** Of which the target may be waiting to hear that nobody reaches them. */
    private void buryStillborn(List<RemoteHandle> dead) {
        List<HandleKey> letGo = new ArrayList<>(0);
        for (RemoteHandle handle : dead) {
            handle.kill(Reason.DEAD_HANDLE);
            if (handle.isShared()) {
                handle.letGo();
                letGo.add(handle.key());
            }
        }
        if (!letGo.isEmpty()) {
            peer.sayLetGo(letGo);
        }
    }

    private static @Nullable SharedBlock view(@Nullable Pool pool, int index, Access access) throws ProtocolException {
        if (pool == null) {
            return null;
        }
        if (index < 0 || index >= pool.blocks()) {
            throw new ProtocolException("block " + index + " of a pool of " + pool.blocks());
        }
        return new SharedBlock(pool, index, access);
    }

    @Override
    public boolean owns(BlockHandle handle) {
        return handle instanceof RemoteHandle remote && remote.isOf(this);
    }

    @Override
    public void unmapAll(List<BlockHandle> handles) {
        List<RemoteHandle> mine = new ArrayList<>(handles.size());
        for (BlockHandle handle : handles) {
            if (!owns(handle)) {
                throw new IllegalArgumentException("not mapped through this client: " + handle);
            }
            mine.add((RemoteHandle) handle);
        }
        List<HandleKey> killed = new ArrayList<>(mine.size());
        for (RemoteHandle handle : mine) {
            peer.forget(handle);
            if (handle.kill(Reason.DEAD_HANDLE)) {
                killed.add(handle.key());
                if (handle.isShared()) {
                    handle.letGo();
                }
            }
        }
        for (int from = 0; from < killed.size(); from += BrickCodec.MAX_UNMAPS) {
            int to = Math.min(from + BrickCodec.MAX_UNMAPS, killed.size());
            tell(new BrickRequest.Unmap(number, List.copyOf(killed.subList(from, to))));
        }
        mine.forEach(RemoteHandle::awaitIdle);
    }

    @Override
    public void flushAll(List<FlushRange> ranges) throws BrickException {
        for (int from = 0; from < ranges.size(); from += LaneLayout.MAX_RANGES) {
            List<FlushRange> part = ranges.subList(from, Math.min(from + LaneLayout.MAX_RANGES, ranges.size()));
            if (shared != null || part.size() == 1 || !flushTogether(part)) {
                BrickClient.super.flushAll(part);
            }
        }
    }

    /** Returns false if one of them cannot be flushed: which and why is found out by trying them one by one. */
    private boolean flushTogether(List<FlushRange> ranges) throws BrickException {
        ByteBuffer all =
                ByteBuffer.allocate(ranges.size() * LaneLayout.RANGE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        List<RemoteHandle> entered = new ArrayList<>(ranges.size());
        try {
            for (FlushRange range : ranges) {
                if (!(range.handle() instanceof RemoteHandle handle) || !handle.isOf(this)) {
                    throw new IllegalArgumentException("not mapped through this client: " + range);
                }
                if (!range.isInBounds() || !handle.enter()) {
                    return false;
                }
                entered.add(handle);
                LaneLayout.putRange(all, handle.key(), range.offset(), range.length());
            }
            return peer.run(lane -> lane.flushAll(session, all.flip())) == 0;
        } finally {
            entered.forEach(RemoteHandle::exit);
        }
    }

    /**
     * Of a write that broke off bytes may be on their way still. The handle dies here and at the target, so that they cannot land on top
     * of what is written next; if the target cannot be told, the connection goes.
     */
    void abandon(RemoteHandle handle) {
        if (!handle.kill(Reason.UNREACHABLE)) {
            return;
        }
        peer.forget(handle);
        boolean interrupted = Thread.interrupted();
        try {
            peer.call(new BrickRequest.Unmap(number, List.of(handle.key())));
        } catch (BrickException e) {
            peer.giveUp("a write broke off and its handle cannot be unmapped: " + e.getMessage());
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Of what the peer finds out by itself when the connection ends. */
    private void tell(BrickRequest request) {
        try {
            peer.call(request);
        } catch (BrickException e) {
            LOG.debug("{} on {}: {}", request, peer, e.getMessage());
        }
    }

    @Override
    public long[] list(BlockId from, int max) throws BrickException {
        long[] ids = new long[0];
        BlockId next = from;
        while (true) {
            int wanted = Math.min(max - ids.length, BrickCodec.MAX_IDS);
            long[] more = listOnce(next, wanted);
            int had = ids.length;
            ids = Arrays.copyOf(ids, had + more.length);
            System.arraycopy(more, 0, ids, had, more.length);
            if (more.length < wanted || ids.length == max || isLast(more)) {
                return ids;
            }
            next = new BlockId(more[more.length - 1] + 1);
        }
    }

    /** Whether no id of the same volume can follow. */
    private static boolean isLast(long... ids) {
        BlockId last = new BlockId(ids[ids.length - 1]);
        return new BlockId(last.value() + 1).volume() != last.volume();
    }

    private long[] listOnce(BlockId from, int max) throws BrickException {
        Answer answer = peer.call(new BrickRequest.ListIds(number, from, max));
        try {
            return BrickAnswers.takeListed(answer.number(), answer.rest());
        } catch (ProtocolException e) {
            throw peer.unreachable(e);
        }
    }

    @Override
    public void fence(SessionId victim) throws BrickException {
        peer.call(new BrickRequest.Fence(number, victim));
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            List<RemoteHandle> all = peer.forgetAllOf(this);
            for (RemoteHandle handle : all) {
                if (handle.kill(Reason.DEAD_HANDLE) && handle.isShared()) {
                    handle.letGo();
                }
            }
            tell(new BrickRequest.Close(number));
            all.forEach(RemoteHandle::awaitIdle);
        }
    }
}
