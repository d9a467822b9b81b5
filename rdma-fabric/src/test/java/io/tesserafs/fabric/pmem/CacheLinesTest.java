package io.tesserafs.fabric.pmem;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What it does to caches cannot be seen; that it touches what it is given and nothing else, and returns, can. */
class CacheLinesTest {
    private static final int PAGE = 4096;

    @BeforeEach
    void onlyWhereItIsKnown() {
        assumeTrue(CacheLines.obstacle().isEmpty(), CacheLines.obstacle());
    }

    @Test
    void shouldChangeNothing() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(3L * PAGE, PAGE).fill((byte) 7);
            for (long from : new long[] {0, 1, 63, 64, PAGE - 1}) {
                for (long bytes : new long[] {0, 1, 2, 63, 64, 65, 2 * PAGE}) {
                    CacheLines.writeBack(memory.asSlice(from, bytes));
                }
            }
            CacheLines.writeBackAll(memory);
            assertThat(memory.mismatch(arena.allocate(3L * PAGE).fill((byte) 7)))
                    .isEqualTo(-1);
        }
    }

    /** Beyond the mapping there may be nothing. */
    @Test
    void shouldStayInsideAMapping() throws Exception {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = PoolNative.executable(new byte[PAGE], arena);
            CacheLines.writeBack(page);
            CacheLines.writeBack(page.asSlice(PAGE - 1));
            assertThat(page.get(JAVA_BYTE, PAGE - 1)).isZero();
        }
    }

    @Test
    void shouldRefuseMemoryThatIsGone() {
        Arena arena = Arena.ofConfined();
        MemorySegment memory = arena.allocate(64);
        arena.close();
        assertThatThrownBy(() -> CacheLines.writeBack(memory)).isInstanceOf(IllegalStateException.class);
    }
}
