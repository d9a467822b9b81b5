package io.tesserafs.fabric.pmem;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.UUID;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * A pool's header. 512 bytes, little-endian, in two copies on different pages. Bytes not named are reserved and zero. Magic,
 * version, length and the place of the checksum never change, so that any version can recognise any other.
 *
 * <p>Copies are written one after the other, each flushed before the next, so one is whole at any moment; the valid copy with
 * the higher {@code sequence} counts.
 *
 * @param cluster the cluster's name or UUID, at most 64 bytes of UTF-8; empty before the pool joined one
 * @param brick number of the brick in the cluster; 0 before the pool joined one
 * @param bootId kernel boot under which bytes were last written that need not be on the device, see {@link Pool#sameBoot()}
 * @param losses how often bytes that were not flushed were lost with the host's memory, see {@link Pool#losses()}
 */
record PoolHeader(
        UUID pool,
        String cluster,
        int brick,
        long blocks,
        long createdEpochMs,
        UUID bootId,
        boolean cleanShutdown,
        int losses,
        long sequence) {
    static final int BYTES = 512;
    static final int CLUSTER_BYTES = 64;

    /** Of the format as a whole: header, allocation table, placement of blocks. */
    static final int VERSION = 1;

    static final long MAGIC = 0x4c4f4f5053534554L; // "TESSPOOL" in the order of the bytes

    static final int MAGIC_AT = 0; // u64
    static final int VERSION_AT = 8; // u32
    static final int LENGTH_AT = 12; // u32
    static final int POOL_AT = 16; // UUID as two u64, most significant first
    static final int CLUSTER_AT = 32; // UTF-8, padded with zeros
    static final int BRICK_AT = 96; // u32
    static final int BLOCK_BYTES_AT = 100; // u32
    static final int BLOCKS_AT = 104; // u64
    static final int TABLE_A_AT = 112; // u64
    static final int TABLE_B_AT = 120; // u64
    static final int DATA_AT = 128; // u64
    static final int CREATED_AT = 136; // u64
    static final int BOOT_AT = 144; // UUID as two u64
    static final int CLEAN_AT = 160; // u32, 0 or 1
    static final int LOSSES_AT = 164; // u32
    static final int SEQUENCE_AT = 168; // u64
    static final int CRC_AT = 508; // u32, CRC32C of bytes 0..507

    private static final ValueLayout.OfInt U32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** What a copy turned out to be, from hopeless to good. */
    enum Condition {
        NO_MAGIC,
        DAMAGED,
        OTHER_VERSION,
        CONTRADICTORY,
        VALID
    }

    /** One copy as found; {@code header} is there if and only if it is {@link Condition#VALID}. */
    record Copy(Condition condition, int version, @Nullable PoolHeader header) {}

    PoolGeometry geometry() {
        return new PoolGeometry(blocks);
    }

    PoolHeader with(String newCluster, int newBrick) {
        return new PoolHeader(
                pool, newCluster, newBrick, blocks, createdEpochMs, bootId, cleanShutdown, losses, sequence + 1);
    }

    PoolHeader with(UUID newBootId, boolean clean) {
        return new PoolHeader(pool, cluster, brick, blocks, createdEpochMs, newBootId, clean, losses, sequence + 1);
    }

    /** In use again after a loss that has not been dealt with. */
    PoolHeader withLoss() {
        return new PoolHeader(pool, cluster, brick, blocks, createdEpochMs, bootId, false, losses + 1, sequence + 1);
    }

    byte[] encode() {
        byte[] bytes = new byte[BYTES];
        MemorySegment h = MemorySegment.ofArray(bytes);
        PoolGeometry geometry = geometry();
        h.set(U64, MAGIC_AT, MAGIC);
        h.set(U32, VERSION_AT, VERSION);
        h.set(U32, LENGTH_AT, BYTES);
        putUuid(h, POOL_AT, pool);
        byte[] name = cluster.getBytes(StandardCharsets.UTF_8);
        if (name.length > CLUSTER_BYTES) {
            throw new IllegalArgumentException("cluster name longer than " + CLUSTER_BYTES + " bytes: " + cluster);
        }
        MemorySegment.copy(name, 0, h, JAVA_BYTE, CLUSTER_AT, name.length);
        h.set(U32, BRICK_AT, brick);
        h.set(U32, BLOCK_BYTES_AT, PoolGeometry.BLOCK_BYTES);
        h.set(U64, BLOCKS_AT, blocks);
        h.set(U64, TABLE_A_AT, PoolGeometry.TABLE_A);
        h.set(U64, TABLE_B_AT, geometry.tableB());
        h.set(U64, DATA_AT, geometry.dataOffset());
        h.set(U64, CREATED_AT, createdEpochMs);
        putUuid(h, BOOT_AT, bootId);
        h.set(U32, CLEAN_AT, cleanShutdown ? 1 : 0);
        h.set(U32, LOSSES_AT, losses);
        h.set(U64, SEQUENCE_AT, sequence);
        h.set(U32, CRC_AT, checksum(bytes));
        return bytes;
    }

    static Copy decode(byte[] bytes) {
        MemorySegment h = MemorySegment.ofArray(bytes);
        int version = h.get(U32, VERSION_AT);
        if (h.get(U64, MAGIC_AT) != MAGIC) {
            return new Copy(Condition.NO_MAGIC, version, null);
        }
        if (h.get(U32, CRC_AT) != checksum(bytes)) {
            return new Copy(Condition.DAMAGED, version, null);
        }
        if (version != VERSION) {
            return new Copy(Condition.OTHER_VERSION, version, null);
        }
        long blocks = h.get(U64, BLOCKS_AT);
        if (blocks < 1 || blocks > PoolGeometry.MAX_BLOCKS || !geometryAgrees(h, new PoolGeometry(blocks))) {
            return new Copy(Condition.CONTRADICTORY, version, null);
        }
        PoolHeader header = new PoolHeader(
                getUuid(h, POOL_AT),
                getName(bytes),
                h.get(U32, BRICK_AT),
                blocks,
                h.get(U64, CREATED_AT),
                getUuid(h, BOOT_AT),
                h.get(U32, CLEAN_AT) == 1,
                h.get(U32, LOSSES_AT),
                h.get(U64, SEQUENCE_AT));
        return new Copy(Condition.VALID, version, header);
    }

    private static boolean geometryAgrees(MemorySegment h, PoolGeometry geometry) {
        int brick = h.get(U32, BRICK_AT);
        return h.get(U32, LENGTH_AT) == BYTES
                && h.get(U32, BLOCK_BYTES_AT) == PoolGeometry.BLOCK_BYTES
                && h.get(U64, TABLE_A_AT) == PoolGeometry.TABLE_A
                && h.get(U64, TABLE_B_AT) == geometry.tableB()
                && h.get(U64, DATA_AT) == geometry.dataOffset()
                && brick >= 0
                && brick <= 0xFFFF;
    }

    private static String getName(byte[] bytes) {
        int length = 0;
        while (length < CLUSTER_BYTES && bytes[CLUSTER_AT + length] != 0) {
            length++;
        }
        return new String(bytes, CLUSTER_AT, length, StandardCharsets.UTF_8);
    }

    private static int checksum(byte[] bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, 0, CRC_AT);
        return (int) crc.getValue();
    }

    private static void putUuid(MemorySegment h, int at, UUID uuid) {
        h.set(U64, at, uuid.getMostSignificantBits());
        h.set(U64, at + 8, uuid.getLeastSignificantBits());
    }

    private static UUID getUuid(MemorySegment h, int at) {
        return new UUID(h.get(U64, at), h.get(U64, at + 8));
    }
}
