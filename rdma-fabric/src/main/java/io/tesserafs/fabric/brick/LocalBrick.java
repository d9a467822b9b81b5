package io.tesserafs.fabric.brick;

import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.fabric.pmem.PoolException;
import io.tesserafs.fabric.pmem.PoolInfo;
import java.io.IOException;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The target side of a brick: the allocation table of one pool, and the handles given out.
 *
 * <p>Invariants: a block is either free or has an id in {@code blocks}, or is on its way between the two under {@code tableLock}. It
 * becomes free for others only after the table says so on the device, and a session sees its id only after the table says that.
 * A handle in {@code handles} belongs to a block with an id and to a session that is not fenced.
 *
 * <p>Locks: {@code tableLock} (one ALLOC or FREE at a time; held while the table is flushed) before {@code stateLock} (short, nothing
 * blocks under it). MAP, UNMAP and LIST take only the latter, operations on handles none.
 *
 * <p>Fenced sessions are remembered until the brick closes. After a restart no handle of theirs exists, and the owner of their
 * volume, which has a later epoch then, knows them no more.
 */
public final class LocalBrick implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LocalBrick.class);

    /** In the message of a refusal; the inspector tells all. */
    private static final int MAX_ENTRIES_NAMED = 5;

    private final Pool pool;
    private final PoolInfo poolInfo;
    private final BrickId id;
    private final SecureRandom random = new SecureRandom();

    private final Departures departures = new Departures();

    private final ReentrantLock tableLock = new ReentrantLock();
    /** Guarded by tableLock. */
    private final TableWriter table;

    private final ReentrantLock stateLock = new ReentrantLock();
    /** Guarded by stateLock, as is the rest. */
    private final BlockMap blocks;

    private final HandleTable handles = new HandleTable();
    private final Set<SessionId> fenced = new HashSet<>();
    /** Of these volumes peers get handles. Null: of all. */
    private @Nullable Set<Integer> offered;

    private boolean closed;

    private LocalBrick(Pool pool, AllocationTable table, TableScan scan) {
        this.pool = pool;
        this.poolInfo = pool.info();
        this.id = new BrickId(pool.brick());
        this.table = new TableWriter(pool, table);
        this.blocks = new BlockMap(id, scan, pool.blocks());
    }

    /**
     * Takes the pool over: checks and repairs the allocation table and begins to use the pool. On failure the pool is released,
     * and if the table was the reason, unchanged. The pool must have joined a cluster.
     *
     * @throws BrickException CORRUPT if both copies of an entry are damaged
     */
    public static LocalBrick open(Pool pool) throws BrickException, PoolException {
        try {
            if (pool.brick() == 0) {
                throw new IllegalStateException("pool " + pool.path() + " has not joined a cluster");
            }
            AllocationTable table = new AllocationTable(pool);
            TableScan scan = new TableScan(table);
            TableReport report = scan.report();
            if (!report.corrupt().isEmpty()) {
                throw corrupt(pool, report);
            }
            LocalBrick brick = new LocalBrick(pool, table, scan);
            pool.beginUse();
            brick.table.repair(scan, report);
            return brick;
        } catch (IOException | RuntimeException e) {
            pool.abandon();
            switch (e) {
                case BrickException b -> throw b;
                case PoolException p -> throw p;
                case RuntimeException r -> throw r;
                default -> throw new BrickException(Reason.IO, "pool " + pool.path() + ": " + e.getMessage(), e);
            }
        }
    }

    private static BrickException corrupt(Pool pool, TableReport report) {
        int count = report.corrupt().size();
        int shown = Math.min(count, MAX_ENTRIES_NAMED);
        return new BrickException(
                Reason.CORRUPT,
                "pool " + pool.path() + ": the allocation table is corrupt: "
                        + String.join("; ", report.corrupt().subList(0, shown))
                        + (shown < count ? "; and more" : ""));
    }

    public BrickId id() {
        return id;
    }

    public Pool pool() {
        return pool;
    }

    public void addKillListener(KillListener listener) {
        departures.add(listener);
    }

    /** The key of a handle that a brick of this process gave out; who shows it is taken for the one it was given to. */
    public static HandleKey key(BlockHandle handle) {
        return ((LocalHandle) handle).key();
    }

    /** The session that such a handle was given to. */
    public static SessionId session(BlockHandle handle) {
        return ((LocalHandle) handle).client().session();
    }

    /** Opens the calls of this brick to a session in this process. */
    public BrickClient connect(SessionId session) throws BrickException {
        return connect(session, false);
    }

    /** The same on behalf of another process. */
    public BrickClient connectPeer(SessionId session) throws BrickException {
        return connect(session, true);
    }

    private BrickClient connect(SessionId session, boolean forPeer) throws BrickException {
        stateLock.lock();
        try {
            checkSession(session);
            return new LocalClient(this, session, forPeer);
        } finally {
            stateLock.unlock();
        }
    }

    /** Peers get no handles from now on but of volumes that are {@link #offer offered}: MAP says UNREACHABLE. Before the brick is exported. */
    public void withhold() {
        stateLock.lock();
        try {
            offered = new HashSet<>();
        } finally {
            stateLock.unlock();
        }
    }

    /** What was lost of a volume with the host's memory is made up for. */
    public void offer(int volume) {
        stateLock.lock();
        try {
            if (offered != null) {
                offered.add(volume);
            }
        } finally {
            stateLock.unlock();
        }
    }

    /** The same for all. */
    public void offerAll() {
        stateLock.lock();
        try {
            offered = null;
        } finally {
            stateLock.unlock();
        }
    }

    public BrickInfo info() {
        BrickInfo.Persistence persistence = switch (pool.backing()) {
            case DAX -> BrickInfo.Persistence.CACHE_LINE_WRITE_BACK;
            case DISK -> BrickInfo.Persistence.MSYNC;
            case MEMORY -> BrickInfo.Persistence.NONE;
        };
        boolean memoryOnly = persistence == BrickInfo.Persistence.NONE;
        stateLock.lock();
        try {
            return new BrickInfo(
                    id,
                    pool.id(),
                    pool.path().toString(),
                    poolInfo.kind(),
                    persistence,
                    pool.blocks(),
                    blocks.freeBlocks(),
                    poolInfo.survivesReboot(),
                    persistence == BrickInfo.Persistence.MSYNC,
                    memoryOnly,
                    pool.losses());
        } finally {
            stateLock.unlock();
        }
    }

    /** Index in the pool of the block that a handle of a brick of this process is for. */
    public static int index(BlockHandle handle) {
        return ((LocalHandle) handle).index();
    }

    void alloc(SessionId session, BlockId... ids) throws BrickException {
        if (ids.length == 0) {
            return;
        }
        tableLock.lock();
        try {
            table.checkNotFailed();
            int[] indices = take(session, ids);
            table.allocated(ids, indices);
            publish(ids, indices);
        } finally {
            tableLock.unlock();
        }
    }

    private int[] take(SessionId session, BlockId... ids) throws BrickException {
        stateLock.lock();
        try {
            checkSession(session);
            return blocks.take(ids);
        } finally {
            stateLock.unlock();
        }
    }

    private void publish(BlockId[] ids, int... indices) {
        stateLock.lock();
        try {
            blocks.publish(ids, indices);
        } finally {
            stateLock.unlock();
        }
    }

    void free(SessionId session, BlockId... ids) throws BrickException {
        if (ids.length == 0) {
            return;
        }
        killHandles(session, ids);
        tableLock.lock();
        try {
            table.checkNotFailed();
            int[] indices = new int[ids.length];
            BlockId missing = withdraw(session, ids, indices);
            BlockId held = keepHeld(ids, indices);
            int[] found =
                    Arrays.stream(indices).filter(i -> i != BlockIndex.NONE).toArray();
            table.freed(found);
            giveBack(found);
            if (held != null) {
                throw stillMapped("block " + held);
            }
            if (missing != null) {
                throw new BrickException(Reason.NOT_FOUND, "no block " + missing + " on brick " + id);
            }
        } finally {
            tableLock.unlock();
        }
    }

    /** Ahead of FREE, and not under its lock, since seeing the handles off may take a while. */
    private void killHandles(SessionId session, BlockId... ids) throws BrickException {
        Set<LocalHandle> killed = new HashSet<>(departures.heldOf(ids));
        stateLock.lock();
        try {
            checkSession(session);
            for (BlockId block : ids) {
                killed.addAll(leaving(handles.removeAllOf(block)));
            }
        } finally {
            stateLock.unlock();
        }
        settle(killed, ids);
    }

    /** The caller, which holds stateLock, has to settle them. */
    private List<LocalHandle> leaving(List<LocalHandle> removed) {
        departures.leave(removed);
        return removed;
    }

    /** Returns when nobody is seeing off handles of these blocks any more. */
    private void settle(Set<LocalHandle> killed, BlockId... ids) {
        departures.settle(killed);
        Set<BlockId> concerned = new HashSet<>(Arrays.asList(ids));
        departures.await(handle -> concerned.contains(handle.block()));
    }

    /** Takes the ids out of sight and waits until no handle reaches them. Returns one that is not there. */
    private @Nullable BlockId withdraw(SessionId session, BlockId[] ids, int[] indices) throws BrickException {
        BlockId missing = null;
        Set<LocalHandle> killed = new HashSet<>();
        stateLock.lock();
        try {
            checkSession(session);
            for (int i = 0; i < ids.length; i++) {
                indices[i] = blocks.withdraw(ids[i]);
                if (indices[i] == BlockIndex.NONE) {
                    missing = missing == null ? ids[i] : missing;
                } else {
                    killed.addAll(leaving(handles.removeAllOf(ids[i])));
                }
            }
        } finally {
            stateLock.unlock();
        }
        settle(killed, ids);
        return missing;
    }

    /** Puts those back into sight that someone still reaches, and takes them out of indices. Returns one of them. */
    private @Nullable BlockId keepHeld(BlockId[] ids, int... indices) {
        BlockId held = null;
        for (int i = 0; i < ids.length; i++) {
            if (indices[i] != BlockIndex.NONE && !departures.heldOf(ids[i]).isEmpty()) {
                held = ids[i];
                publish(new BlockId[] {held}, indices[i]);
                indices[i] = BlockIndex.NONE;
            }
        }
        return held;
    }

    private BrickException stillMapped(String what) {
        return new BrickException(
                Reason.STILL_MAPPED,
                what + " on brick " + id
                        + " may still be reached: a process of this host has it mapped and does not answer, "
                        + "or a device does not give up its key (the log of the brick's node says which)");
    }

    private void giveBack(int... indices) {
        stateLock.lock();
        try {
            blocks.giveBack(indices);
        } finally {
            stateLock.unlock();
        }
    }

    List<Mapping> map(LocalClient client, Access access, List<BlockId> ids) throws BrickException {
        List<Mapping> outcomes = new ArrayList<>(ids.size());
        HandleKey[] keys = new HandleKey[ids.size()]; // whose making takes longer than the rest
        Arrays.setAll(keys, i -> HandleKey.random(random));
        stateLock.lock();
        try {
            checkSession(client.session());
            for (int i = 0; i < keys.length; i++) {
                outcomes.add(map(client, access, ids.get(i), keys[i]));
            }
            return outcomes;
        } finally {
            stateLock.unlock();
        }
    }

    private Mapping map(LocalClient client, Access access, BlockId block, HandleKey key) {
        if (client.isForPeer() && offered != null && !offered.contains(block.volume())) {
            return Mapping.refused(new BrickException(
                    Reason.UNREACHABLE,
                    "brick " + id + " has lost memory, and what it has of volume " + block.volume()
                            + " is not in order yet"));
        }
        int at = blocks.find(block);
        if (at == BlockIndex.NONE) {
            return Mapping.refused(new BrickException(Reason.NOT_FOUND, "no block " + block + " on brick " + id));
        }
        LocalHandle handle = new LocalHandle(key, client, block, access, pool, at);
        handles.add(handle);
        return Mapping.of(handle);
    }

    void unmap(List<LocalHandle> some) {
        List<LocalHandle> killed = new ArrayList<>(some.size());
        stateLock.lock();
        try {
            for (LocalHandle handle : some) {
                if (handles.remove(handle)) {
                    killed.add(handle);
                }
            }
            departures.leave(killed);
        } finally {
            stateLock.unlock();
        }
        departures.settle(killed);
        if (killed.size() < some.size()) {
            Set<LocalHandle> concerned = Set.copyOf(some);
            departures.await(concerned::contains); // those that another call killed
        }
    }

    long[] list(SessionId session, BlockId from, int max) throws BrickException {
        if (max < 0) {
            throw new IllegalArgumentException("max " + max);
        }
        stateLock.lock();
        try {
            checkSession(session);
            return blocks.list(from, max);
        } finally {
            stateLock.unlock();
        }
    }

    void fence(SessionId session, SessionId victim) throws BrickException {
        Set<LocalHandle> killed = new HashSet<>(departures.heldOf(victim));
        stateLock.lock();
        try {
            checkSession(session);
            fenced.add(victim);
            killed.addAll(leaving(handles.removeAllOf(victim)));
        } finally {
            stateLock.unlock();
        }
        departures.settle(killed);
        departures.await(handle -> handle.client().session().equals(victim));
        if (!departures.heldOf(victim).isEmpty()) {
            throw stillMapped("memory of session " + victim);
        }
    }

    /** Whether the session was fenced here. */
    public boolean isFenced(SessionId session) {
        stateLock.lock();
        try {
            return fenced.contains(session);
        } finally {
            stateLock.unlock();
        }
    }

    void release(LocalClient client) {
        List<LocalHandle> killed;
        stateLock.lock();
        try {
            killed = leaving(handles.removeAllOf(client));
        } finally {
            stateLock.unlock();
        }
        departures.settle(killed);
        departures.await(handle -> handle.client() == client);
    }

    private void checkSession(SessionId session) throws BrickException {
        if (closed) {
            throw new BrickException(Reason.UNREACHABLE, "brick " + id + " is closed");
        }
        if (fenced.contains(session)) {
            throw new BrickException(Reason.FENCED, "session " + session + " was fenced on brick " + id);
        }
    }

    /** Kills every handle, flushes the pool, marks it as cleanly shut down and closes it. Idempotent. */
    @Override
    public void close() throws PoolException {
        if (!shut()) {
            return;
        }
        if (departures.anyHeld()) {
            LOG.warn(
                    "brick {}: another process still has blocks mapped, so the pool is not marked as cleanly shut down",
                    id);
            pool.abandon();
        } else {
            pool.close();
        }
    }

    /** Kills every handle and lets go of the pool as a crash would: nothing is flushed or marked. Idempotent. */
    public void abandon() {
        if (shut()) {
            pool.abandon();
        }
    }

    private boolean shut() {
        List<LocalHandle> killed;
        tableLock.lock();
        try {
            stateLock.lock();
            try {
                if (closed) {
                    return false;
                }
                closed = true;
                killed = leaving(handles.removeAll());
            } finally {
                stateLock.unlock();
            }
        } finally {
            tableLock.unlock();
        }
        departures.settle(killed);
        departures.await(handle -> true);
        return true;
    }
}
