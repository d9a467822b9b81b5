package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.BrickInfo;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.Provider;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.pmem.FileIdentity;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.fabric.shm.HostProcess;
import io.tesserafs.fabric.shm.SharedBlock;
import io.tesserafs.fabric.shm.SharedPools;
import io.tesserafs.fabric.tcp.RemotePeer.Answer;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
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
    public BlockHandle map(BlockId id, Access access) throws BrickException {
        peer.mapping();
        RemoteHandle handle = null;
        Pool pool = shared;
        try {
            Answer answer = peer.call(
                    pool == null
                            ? new BrickRequest.Map(number, id, access)
                            : new BrickRequest.MapShared(number, id, access));
            HandleKey key = BrickAnswers.takeMapped(answer.rest());
            handle = new RemoteHandle(peer, this, key, id, access, view(pool, answer.number(), access));
        } catch (ProtocolException e) {
            throw peer.unreachable(e);
        } finally {
            if (handle == null) {
                peer.notMapped();
            }
        }
        if (!peer.mapped(handle)) {
            handle.kill(Reason.DEAD_HANDLE);
            if (handle.isShared()) {
                handle.letGo();
                peer.sayLetGo(List.of(handle.key()));
            }
            throw new BrickException(Reason.DEAD_HANDLE, handle + " died while it was made");
        }
        return handle;
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
    public void unmap(BlockHandle handle) {
        if (!(handle instanceof RemoteHandle remote) || !remote.isOf(this)) {
            throw new IllegalArgumentException("not mapped through this client: " + handle);
        }
        peer.forget(remote);
        if (remote.kill(Reason.DEAD_HANDLE)) {
            if (remote.isShared()) {
                remote.letGo();
            }
            tell(new BrickRequest.Unmap(number, remote.key()));
        }
        remote.awaitIdle();
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
            peer.call(new BrickRequest.Unmap(number, handle.key()));
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
