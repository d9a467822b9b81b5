package io.tesserafs.fabric.pmem;

import io.tesserafs.fabric.pmem.HeaderReader.Found;
import io.tesserafs.fabric.pmem.PoolException.Reason;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.nio.file.Path;
import java.time.Instant;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file or device of persistent memory, mapped whole: a header, the allocation table's bytes (their meaning is the brick's), and blocks of
 * 2 MiB. The file has real storage for every byte, so no access to the mapping can fail because a disk is full.
 *
 * <p>A pool has one owner, who holds an exclusive lock on the file. Opening writes nothing: the owner first checks what else there
 * is to check and then calls {@link #beginUse}. Any refusal before that leaves the file as it was.
 *
 * <p>Thread-safe but for {@link #close} and {@link #abandon}: nobody may use the memory then or later.
 */
public final class Pool implements AutoCloseable {
    /** Below this the fixed part would be a noticeable share, and a volume's log would have no room. */
    public static final long MIN_BYTES = 64L << 20;

    public static final int BLOCK_BYTES = PoolGeometry.BLOCK_BYTES;
    public static final int TABLE_ENTRY_BYTES = PoolGeometry.TABLE_ENTRY_BYTES;

    private static final Logger LOG = LoggerFactory.getLogger(Pool.class);

    private final PoolFile file;
    private final Arena arena;
    private final MemorySegment memory;
    private final Backing backing;
    private final PersistenceDomain domain;
    private final PoolGeometry geometry;
    private final UUID currentBoot;
    private final boolean locked;
    private final PoolHeader found;
    private final int damagedHeaderCopies;

    /** Guarded by this, as are the next four. */
    private PoolHeader header;

    private boolean inUse;
    private boolean recoveryPending;
    private boolean closed;

    /** Once true, some byte that should have persisted may not have; the pool is then never marked as cleanly shut down. */
    private volatile boolean flushFailed;

    private Pool(
            PoolFile file,
            Found found,
            Arena arena,
            MemorySegment memory,
            Backing backing,
            UUID currentBoot,
            boolean locked) {
        this.file = file;
        this.arena = arena;
        this.memory = memory;
        this.backing = backing;
        this.domain = backing == Backing.DAX ? file.persistenceDomain() : PersistenceDomain.UNKNOWN;
        this.found = found.header();
        this.damagedHeaderCopies = found.damagedCopies();
        this.header = found.header();
        this.geometry = found.header().geometry();
        this.currentBoot = currentBoot;
        this.locked = locked;
    }

    /**
     * Creates a pool of at most {@code bytes}, rounded down to whole blocks. The file appears under its name when it is complete
     * and durable; a failure or a crash before that leaves at most a file with the suffix {@code .creating}, which the next
     * attempt reuses. On a device DAX, whose whole content is lost, the header is written last; there must be no pool's header yet.
     *
     * @param cluster name or UUID of the cluster, at most 64 bytes of UTF-8; empty if not yet known
     * @param brick number of the brick in the cluster; 0 if not yet known
     */
    public static PoolInfo create(Path path, long bytes, String cluster, int brick) throws PoolException {
        return PoolFormatter.create(path, bytes, cluster, brick);
    }

    /** Whether something has a pool's name: a file, whatever is in it, or a device with anything like a pool's header. */
    public static boolean exists(Path path) throws PoolException {
        return PoolFormatter.isThere(path);
    }

    /** Opens for the owner, alone. */
    public static Pool open(Path path) throws PoolException {
        return open(path, true, true);
    }

    /**
     * Opens for looking only; memory is read-only.
     *
     * @param evenIfInUse also while an owner has it open; then what is read may change under the reader's hands
     */
    public static Pool openReadOnly(Path path, boolean evenIfInUse) throws PoolException {
        return open(path, false, !evenIfInUse);
    }

    /**
     * Opens for reading and writing blocks beside the owner, who has it open in another process of this host and gave leave to. The
     * header and the table are the owner's alone. Neither {@link #close} nor {@link #abandon} marks anything.
     *
     * @param path where the owner has it; here there may be another file, or none
     * @throws PoolException if the file at the path is not that very file and pool
     */
    public static Pool openBesideOwner(Path path, FileIdentity identity, UUID id) throws PoolException {
        Pool pool = open(path, true, false);
        if (!pool.fileIdentity().equals(identity) || !pool.id().equals(id)) {
            pool.abandon();
            throw new PoolException(Reason.NOT_A_POOL, path, "is not the pool " + id + " that its owner has there");
        }
        return pool;
    }

    /** What the header says; takes no lock and does not care whether the pool is open elsewhere. */
    public static PoolInfo describe(Path path) throws PoolException {
        try (PoolFile file = PoolFile.open(path, false)) {
            Found found = HeaderReader.read(file);
            return describe(file, found.header(), found.damagedCopies());
        }
    }

    private static Pool open(Path path, boolean writable, boolean lock) throws PoolException {
        PoolFile file = PoolFile.open(path, writable);
        Arena arena = Arena.ofShared();
        try {
            if (lock) {
                file.lock(writable);
            }
            Found found = HeaderReader.read(file);
            long bytes = found.header().geometry().fileBytes();
            file.checkStorage(bytes);
            UUID boot = BootId.current();
            MemorySegment memory = null;
            Backing backing = file.fileSystem().memoryOnly() ? Backing.MEMORY : Backing.DISK;
            if (file.isDevice()) {
                checkFlushable(path, writable);
                backing = Backing.DAX;
            } else if (backing == Backing.DISK && writable) {
                memory = file.mapSync(bytes, arena);
                backing = memory == null ? Backing.DISK : Backing.DAX;
            }
            if (memory == null) {
                memory = file.map(bytes, arena);
            }
            return new Pool(file, found, arena, memory, backing, boot, lock);
        } catch (IOException | RuntimeException e) {
            arena.close();
            file.close();
            switch (e) {
                case PoolException p -> throw p;
                case RuntimeException r -> throw r;
                default -> throw new PoolException(Reason.IO, path, "cannot be opened: " + e.getMessage(), e);
            }
        }
    }

    static void checkFlushable(Path path, boolean writable) throws PoolException {
        if (writable && !CacheLines.obstacle().isEmpty()) {
            throw new PoolException(
                    Reason.NOT_FLUSHABLE, path, "a device DAX cannot be used for writing: " + CacheLines.obstacle());
        }
    }

    static PoolInfo describe(PoolFile file, PoolHeader header, int damagedCopies) {
        return new PoolInfo(
                file.path(),
                header.pool(),
                header.cluster(),
                header.brick(),
                PoolHeader.VERSION,
                header.blocks(),
                BLOCK_BYTES,
                header.geometry().fileBytes(),
                Instant.ofEpochMilli(header.createdEpochMs()),
                file.fileSystem().name(),
                !file.fileSystem().memoryOnly(),
                header.bootId(),
                header.cleanShutdown(),
                damagedCopies);
    }

    /** As the header was when the pool was opened. */
    public PoolInfo info() {
        return describe(file, found, damagedHeaderCopies);
    }

    public Path path() {
        return file.path();
    }

    public FileIdentity fileIdentity() {
        return file.identity(currentBoot);
    }

    public UUID id() {
        return found.pool();
    }

    public int blocks() {
        return (int) geometry.blocks();
    }

    public Backing backing() {
        return backing;
    }

    /** Of pools on persistent memory; else not known. */
    public PersistenceDomain persistenceDomain() {
        return domain;
    }

    /** Kernel boot under which bytes were last written that need not be on the device. */
    public UUID bootIdAtLastOpen() {
        return found.bootId();
    }

    /**
     * Whether the kernel has run on since, so that its page cache has what the device may lack. If false and not
     * {@link #cleanShutdown}, writes that were not flushed may be lost, in any order.
     */
    public boolean sameBoot() {
        return found.bootId().equals(currentBoot);
    }

    /** Whether the last owner flushed everything and closed the pool. */
    public boolean cleanShutdown() {
        return found.cleanShutdown();
    }

    /**
     * Whether everything ever written here can be read, flushed or not: the last owner closed the pool cleanly, or only its process
     * died. What recovery needs to know.
     */
    public boolean nothingLost() {
        return cleanShutdown() || sameBoot();
    }

    /**
     * Marks the pool as open in its header, which also repairs a damaged copy. After this the owner may write.
     *
     * <p>If unflushed writes of an earlier boot may be lost, the header keeps that boot's id until {@link #recovered()}: were it
     * replaced now, a crash during recovery would make the next start believe that nothing is lost.
     */
    public synchronized void beginUse() throws PoolException {
        checkOpen();
        if (memory.isReadOnly() || !locked) {
            throw new IllegalStateException("pool " + path() + " is not open for its owner");
        }
        if (inUse) {
            return;
        }
        if (damagedHeaderCopies > 0) {
            LOG.warn("pool {}: one header copy was damaged and is rewritten", path());
        }
        if (file.fileSystem().copyOnWrite()) {
            LOG.warn(
                    "pool {}: {} copies on write, so preallocation does not protect against a full disk",
                    path(),
                    file.fileSystem().name());
        }
        recoveryPending = !nothingLost();
        writeHeader(recoveryPending ? header.withLoss() : header.with(currentBoot, false));
        inUse = true;
        LOG.info(
                "pool {}: {} blocks on {}, {}",
                path(),
                blocks(),
                file.fileSystem().name(),
                howItFlushes());
    }

    private String howItFlushes() {
        return switch (backing) {
            case DAX ->
                "persistent memory%s, flushed by %s, persistence domain: %s"
                        .formatted(
                                file.isDevice() ? "" : " (MAP_SYNC)",
                                isSafeOnceVisible() ? "ordering alone" : "cache-line write-back",
                                domain);
            case DISK -> "no DAX, flushed by msync";
            case MEMORY -> "memory only: survives the daemon, not the host";
        };
    }

    /** How often, so far, the pool was begun to be used after bytes may have been lost; the same loss may count more than once. */
    public synchronized int losses() {
        return header.losses();
    }

    /** To be called when everything that lives here has recovered: from now on what is written dates from the current boot. */
    public synchronized void recovered() throws PoolException {
        checkOpen();
        if (inUse && recoveryPending) {
            writeHeader(header.with(currentBoot, false));
            recoveryPending = false;
        }
    }

    /** Enters the pool in a cluster, once. */
    public synchronized void join(String cluster, int brick) throws PoolException {
        checkOpen();
        if (!inUse || header.brick() != 0) {
            throw new IllegalStateException("pool " + path() + " is not in use or has joined " + header.cluster());
        }
        writeHeader(header.with(cluster, brick));
    }

    public synchronized String cluster() {
        return header.cluster();
    }

    /** Number of the brick in the cluster; 0 before the pool joined one. */
    public synchronized int brick() {
        return header.brick();
    }

    /** Both copies, one flushed before the other is touched. */
    private void writeHeader(PoolHeader next) throws PoolException {
        MemorySegment bytes = MemorySegment.ofArray(next.encode());
        try {
            for (long at : new long[] {PoolGeometry.HEADER_A, PoolGeometry.HEADER_B}) {
                MemorySegment copy = memory.asSlice(at, PoolHeader.BYTES);
                copy.copyFrom(bytes);
                flush(copy);
            }
        } catch (IOException e) {
            throw new PoolException(Reason.IO, path(), "the header cannot be written: " + e.getMessage(), e);
        }
        header = next;
    }

    /** The bytes of one block. */
    public MemorySegment block(int index) {
        return memory.asSlice(geometry.blockOffset(checkIndex(index)), BLOCK_BYTES, PoolGeometry.PAGE_BYTES);
    }

    /** Where the block is in the file, for messages. */
    public long blockOffset(int index) {
        return geometry.blockOffset(checkIndex(index));
    }

    /** The allocation table's first copy, {@link #TABLE_ENTRY_BYTES} per block. */
    public MemorySegment tableA() {
        return memory.asSlice(PoolGeometry.TABLE_A, geometry.blocks() * TABLE_ENTRY_BYTES, Long.BYTES);
    }

    public MemorySegment tableB() {
        return memory.asSlice(geometry.tableB(), geometry.blocks() * TABLE_ENTRY_BYTES, Long.BYTES);
    }

    /** Makes the entries {@code first..last} of both tables persistent, with one wait. */
    public void flushTables(int first, int last) throws IOException {
        long from = (long) checkIndex(first) * TABLE_ENTRY_BYTES;
        long to = (long) (checkIndex(last) + 1) * TABLE_ENTRY_BYTES;
        if (backing == Backing.DISK) {
            // Only dirty pages are written, however wide the range.
            flush(memory.asSlice(PoolGeometry.TABLE_A + from, geometry.tableB() - PoolGeometry.TABLE_A + to - from));
        } else {
            flush(tableA().asSlice(from, to - from));
            flush(tableB().asSlice(from, to - from));
        }
    }

    /** Makes a slice of this pool's memory persistent. Waits for the device if {@link #backing()} is a disk. */
    public void flush(MemorySegment slice) throws IOException {
        if (isSafeOnceVisible()) {
            VarHandle.fullFence();
            return;
        }
        if (slice.byteSize() == 0) {
            return;
        }
        if (backing == Backing.DAX && CacheLines.obstacle().isEmpty()) {
            CacheLines.writeBack(slice);
            return;
        }
        try {
            slice.force();
        } catch (UncheckedIOException e) {
            flushFailed = true;
            throw new IOException("pool " + path() + ": flush failed: " + e.getMessage(), e);
        }
    }

    /** Whether bytes that other CPUs or devices can see need no flush: reserve power flushes the caches, or there is only memory. */
    public boolean isSafeOnceVisible() {
        return backing == Backing.MEMORY || backing == Backing.DAX && domain == PersistenceDomain.CPU_CACHE;
    }

    /** All that was ever written. */
    private void sync() throws PoolException {
        if (!file.isDevice()) {
            file.sync();
        } else if (!isSafeOnceVisible()) {
            CacheLines.writeBackAll(memory);
        }
    }

    /** Makes the block's pages present and writable, where that is only a matter of memory; elsewhere it would dirty pages. */
    public void populate(int index) throws IOException {
        if (backing == Backing.MEMORY) {
            PoolNative.populateForWriting(block(index));
        }
    }

    private int checkIndex(int index) {
        if (index < 0 || index >= geometry.blocks()) {
            throw new IndexOutOfBoundsException("block " + index + " of " + geometry.blocks());
        }
        return index;
    }

    private void checkOpen() {
        if (closed) {
            throw new IllegalStateException("pool " + path() + " is closed");
        }
    }

    /**
     * Flushes everything and marks the pool as cleanly shut down, unless a flush failed before or recovery did not finish.
     * Idempotent; releases the file in any case.
     */
    @Override
    public synchronized void close() throws PoolException {
        if (closed) {
            return;
        }
        try {
            if (inUse && !recoveryPending && !flushFailed) {
                sync();
                writeHeader(header.with(currentBoot, true));
            }
        } finally {
            abandon();
        }
    }

    /** Releases the file and marks nothing, as a crash of the process would. Idempotent. */
    public synchronized void abandon() {
        if (!closed) {
            closed = true;
            arena.close();
            file.close();
        }
    }
}
