package io.tesserafs.fabric.brick;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.brick.AllocationTable.Verdict;
import io.tesserafs.fabric.pmem.Pool;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AllocationTableTest {
    private static final int INDEX = 9;
    private static final long ID = BlockId.of(0x8001, 77).value();

    @TempDir
    Path directory;

    private Pool pool;
    private AllocationTable table;
    private MemorySegment[] copies;

    @BeforeEach
    void openPool() throws Exception {
        Path path = directory.resolve("pool");
        Pool.create(path, Pool.MIN_BYTES, "test", 1);
        pool = Pool.open(path);
        table = new AllocationTable(pool);
        copies = new MemorySegment[] {
            pool.tableA().asSlice(INDEX * 16, 16), pool.tableB().asSlice(INDEX * 16, 16)
        };
    }

    @AfterEach
    void closePool() {
        pool.abandon();
    }

    private static void flip(MemorySegment copy, int bit) {
        byte value = copy.get(ValueLayout.JAVA_BYTE, bit / 8);
        copy.set(ValueLayout.JAVA_BYTE, bit / 8, (byte) (value ^ (1 << (bit % 8))));
    }

    @Test
    void shouldTellFreeFromAllocated() {
        assertThat(table.judge(INDEX)).isEqualTo(Verdict.FREE);
        table.putAllocated(INDEX, ID);
        assertThat(table.judge(INDEX)).isEqualTo(Verdict.ALLOCATED);
        assertThat(table.id(INDEX)).isEqualTo(ID);
        assertThat(copies[0].mismatch(copies[1])).isEqualTo(-1);
        assertThat(copies[0].get(ValueLayout.JAVA_LONG, AllocationTable.ID_AT)).isEqualTo(ID);
        assertThat(copies[0].get(ValueLayout.JAVA_INT, AllocationTable.CHECK_AT + 4))
                .isEqualTo(0xA110C8ED);
        table.putFree(INDEX);
        assertThat(table.judge(INDEX)).isEqualTo(Verdict.FREE);
    }

    @Test
    void shouldSurviveEveryFlippedBitOfAnAllocatedEntry() {
        table.putAllocated(INDEX, ID);
        for (MemorySegment copy : copies) {
            for (int bit = 0; bit < 128; bit++) {
                flip(copy, bit);
                assertThat(table.judge(INDEX)).as("bit %d", bit).isEqualTo(Verdict.ALLOCATED_TO_REPAIR);
                assertThat(table.id(INDEX)).isEqualTo(ID);
                flip(copy, bit);
            }
        }
    }

    @Test
    void shouldSurviveEveryFlippedBitOfAFreeEntry() {
        for (MemorySegment copy : copies) {
            for (int bit = 0; bit < 128; bit++) {
                flip(copy, bit);
                assertThat(table.judge(INDEX)).as("bit %d", bit).isEqualTo(Verdict.FREE_TO_REPAIR);
                flip(copy, bit);
            }
        }
    }

    @Test
    void shouldTakeEveryTornChangeForOneOfItsTwoEnds() {
        table.putAllocated(INDEX, ID);
        long check = copies[0].get(ValueLayout.JAVA_LONG, AllocationTable.CHECK_AT);
        for (int mix = 0; mix < 16; mix++) {
            for (int c = 0; c < 2; c++) {
                copies[c].set(ValueLayout.JAVA_LONG, AllocationTable.ID_AT, (mix >> (2 * c) & 1) == 0 ? 0 : ID);
                copies[c].set(
                        ValueLayout.JAVA_LONG, AllocationTable.CHECK_AT, (mix >> (2 * c + 1) & 1) == 0 ? 0 : check);
            }
            boolean whole = (mix & 3) == 3 || (mix & 12) == 12;
            Verdict expected = mix == 0
                    ? Verdict.FREE
                    : mix == 15 ? Verdict.ALLOCATED : whole ? Verdict.ALLOCATED_TO_REPAIR : Verdict.FREE_TO_REPAIR;
            assertThat(table.judge(INDEX)).as("mix %d", mix).isEqualTo(expected);
        }
    }

    @Test
    void shouldSurviveTheLossOfOneCopy() {
        for (MemorySegment copy : copies) {
            for (int fill : new int[] {0, 0xFF, 0x5A}) {
                table.putAllocated(INDEX, ID);
                copy.fill((byte) fill);
                assertThat(table.judge(INDEX)).isEqualTo(Verdict.ALLOCATED_TO_REPAIR);
                assertThat(table.id(INDEX)).isEqualTo(ID);
            }
        }
    }

    @Test
    void shouldNotGuessWhenBothCopiesAreDamaged() {
        table.putAllocated(INDEX, ID);
        flip(copies[0], 3);
        flip(copies[1], 70);
        assertThat(table.judge(INDEX)).isEqualTo(Verdict.CORRUPT);

        table.putAllocated(INDEX, ID);
        copies[0].fill((byte) 0);
        flip(copies[1], 3);
        assertThat(table.judge(INDEX)).isEqualTo(Verdict.CORRUPT);

        table.putAllocated(INDEX, ID);
        MemorySegment other = MemorySegment.ofArray(copies[0].toArray(ValueLayout.JAVA_BYTE));
        table.putAllocated(INDEX, ID + 1);
        copies[0].copyFrom(other);
        assertThat(table.judge(INDEX)).isEqualTo(Verdict.CORRUPT);
    }

    @Test
    void shouldNotBelieveAnEntryInTheWrongPlace() {
        table.putAllocated(INDEX, ID);
        MemorySegment neighbour = pool.tableA().asSlice((INDEX + 1) * 16, 16);
        neighbour.copyFrom(copies[0]);
        pool.tableB().asSlice((INDEX + 1) * 16, 16).copyFrom(copies[0]);
        assertThat(table.judge(INDEX + 1)).isEqualTo(Verdict.CORRUPT);
    }
}
