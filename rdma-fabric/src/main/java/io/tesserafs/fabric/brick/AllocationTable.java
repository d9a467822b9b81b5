package io.tesserafs.fabric.brick;

import io.tesserafs.fabric.pmem.Pool;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/**
 * The allocation table of a pool: which logical id lives in which block. One entry of 16 bytes per block, in two copies that lie
 * in different pages, little-endian:
 *
 * <pre>
 *   0  u64  logical id of the block, 0 if free
 *   8  u64  check: 0xA110C8ED in the upper half, CRC32C of (pool UUID, index, id) in the lower; 0 if free
 * </pre>
 *
 * <p><b>What can be on the device.</b> Every change turns zeros into an entry or an entry into zeros, and is flushed before the next
 * change of the same entry. Aligned words of 8 bytes reach the device whole, in any order. So after a crash each word of an entry
 * whose change was under way is zero or the value of that one entry, and all other entries are intact in both copies.
 *
 * <p><b>What follows for reading.</b> A whole copy proves an allocation, whatever the other copy looks like. Two copies of which none
 * is whole, but all of whose words fit one and the same entry, are the trace of a change that nobody was told of: free. A free copy
 * beside one with a single word in it is such a trace too, or a flipped bit in a free entry: free. Everything else takes two
 * independent faults, and is reported as corrupt rather than guessed at.
 *
 * <p>Not thread-safe.
 */
final class AllocationTable {
    static final int ID_AT = 0;
    static final int CHECK_AT = 8;
    static final int ENTRY_BYTES = Pool.TABLE_ENTRY_BYTES;

    private static final long CHECK_MARK = 0xA110C8EDL << 32;
    private static final long CHECK_MARK_MASK = 0xFFFFFFFFL << 32;

    private static final VarHandle WORD =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

    /** What the two copies of an entry together say. */
    enum Verdict {
        FREE,
        ALLOCATED,
        /** Free, but not in the shape of a free entry in both copies. */
        FREE_TO_REPAIR,
        /** Allocated, but only one copy is whole. */
        ALLOCATED_TO_REPAIR,
        CORRUPT
    }

    private final Pool pool;
    private final MemorySegment a;
    private final MemorySegment b;
    private final CRC32C crc = new CRC32C();
    private final ByteBuffer checked = ByteBuffer.allocate(32).order(ByteOrder.LITTLE_ENDIAN);

    AllocationTable(Pool pool) {
        this.pool = pool;
        this.a = pool.tableA();
        this.b = pool.tableB();
    }

    int entries() {
        return pool.blocks();
    }

    Verdict judge(int index) {
        long idA = word(a, index, ID_AT);
        long checkA = word(a, index, CHECK_AT);
        long idB = word(b, index, ID_AT);
        long checkB = word(b, index, CHECK_AT);
        if ((idA | checkA | idB | checkB) == 0) {
            return Verdict.FREE;
        }
        boolean wholeA = isWhole(index, idA, checkA);
        boolean wholeB = isWhole(index, idB, checkB);
        if (wholeA && wholeB) {
            return idA == idB ? Verdict.ALLOCATED : Verdict.CORRUPT;
        }
        if (wholeA || wholeB) {
            return Verdict.ALLOCATED_TO_REPAIR;
        }
        boolean freeA = (idA | checkA) == 0;
        boolean freeB = (idB | checkB) == 0;
        if (freeA || freeB) {
            boolean oneWord = (idA | idB) == 0 || (checkA | checkB) == 0;
            return oneWord ? Verdict.FREE_TO_REPAIR : Verdict.CORRUPT;
        }
        return isTornChange(index, idA, checkA, idB, checkB) ? Verdict.FREE_TO_REPAIR : Verdict.CORRUPT;
    }

    /** Neither copy is whole nor free: do the words there are belong to one entry? */
    private boolean isTornChange(int index, long idA, long checkA, long idB, long checkB) {
        if ((idA != 0 && checkA != 0) || (idB != 0 && checkB != 0)) {
            return false; // all words are there and yet not whole
        }
        long id = idA == 0 ? idB : idA;
        long check = checkA == 0 ? checkB : checkA;
        if ((idB != 0 && idB != id) || (checkB != 0 && checkB != check)) {
            return false;
        }
        if (id == 0) {
            return (check & CHECK_MARK_MASK) == CHECK_MARK;
        }
        return check == 0 || isWhole(index, id, check);
    }

    /** Of an entry that is {@link Verdict#ALLOCATED} or to be repaired to that. */
    long id(int index) {
        long id = word(a, index, ID_AT);
        return isWhole(index, id, word(a, index, CHECK_AT)) ? id : word(b, index, ID_AT);
    }

    /** Both copies in hexadecimal, for messages. */
    String describe(int index) {
        return "%016x %016x, %016x %016x"
                .formatted(
                        word(a, index, ID_AT),
                        word(a, index, CHECK_AT),
                        word(b, index, ID_AT),
                        word(b, index, CHECK_AT));
    }

    /** In memory; persistent after {@link #flush}. */
    void putAllocated(int index, long id) {
        put(index, id, check(index, id));
    }

    /** In memory; persistent after {@link #flush}. */
    void putFree(int index) {
        put(index, 0, 0);
    }

    void flush(int first, int last) throws IOException {
        pool.flushTables(first, last);
    }

    /**
     * Writes every page anew, unchanged, and flushes: the kernel takes a page whose write-back failed for clean, and one that an
     * owner left behind unflushed must be on the device before its entries change again.
     */
    void rewrite() throws IOException {
        int perPage = 4096 / ENTRY_BYTES;
        for (MemorySegment copy : new MemorySegment[] {a, b}) {
            for (int index = 0; index < entries(); index += perPage) {
                WORD.setRelease(copy, offset(index, ID_AT), word(copy, index, ID_AT));
            }
        }
        flush(0, entries() - 1);
    }

    private void put(int index, long id, long check) {
        for (MemorySegment copy : new MemorySegment[] {a, b}) {
            WORD.setRelease(copy, offset(index, ID_AT), id);
            WORD.setRelease(copy, offset(index, CHECK_AT), check);
        }
    }

    private boolean isWhole(int index, long id, long check) {
        return id != 0 && (check & CHECK_MARK_MASK) == CHECK_MARK && check == check(index, id);
    }

    private long check(int index, long id) {
        checked.clear();
        checked.putLong(pool.id().getMostSignificantBits());
        checked.putLong(pool.id().getLeastSignificantBits());
        checked.putLong(index);
        checked.putLong(id);
        crc.reset();
        crc.update(checked.flip());
        return CHECK_MARK | crc.getValue();
    }

    private static long word(MemorySegment copy, int index, int at) {
        return (long) WORD.getAcquire(copy, offset(index, at));
    }

    private static long offset(int index, int at) {
        return (long) index * ENTRY_BYTES + at;
    }
}
