package io.tesserafs.fabric.brick;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class TransferTest {
    private static final BlockHandle HANDLE = (BlockHandle) Proxy.newProxyInstance(
            TransferTest.class.getClassLoader(), new Class<?>[] {BlockHandle.class}, (proxy, method, values) -> null);

    private static Transfer of(long offset, long... parts) {
        List<MemorySegment> all =
                Arrays.stream(parts).mapToObj(MemorySegment.NULL::reinterpret).toList();
        return new Transfer(HANDLE, offset, all);
    }

    @Test
    void shouldLieWithinABlock() {
        assertThat(of(0).isInBounds()).isTrue();
        assertThat(of(BlockId.BLOCK_BYTES).isInBounds()).isTrue();
        assertThat(of(BlockId.BLOCK_BYTES, 0, 0).isInBounds()).isTrue();
        assertThat(of(0, BlockId.BLOCK_BYTES - 1, 1).isInBounds()).isTrue();
        assertThat(of(1, BlockId.BLOCK_BYTES - 1, 1).isInBounds()).isFalse();
        assertThat(of(-1).isInBounds()).isFalse();
        assertThat(of(BlockId.BLOCK_BYTES + 1).isInBounds()).isFalse();
        assertThat(of(Long.MAX_VALUE, 1).isInBounds()).isFalse();
        assertThat(of(Long.MIN_VALUE, 1).isInBounds()).isFalse();
    }

    @Test
    void shouldNotBeFooledByAnOverflow() {
        assertThat(of(0, Long.MAX_VALUE, 1).bytes()).isEqualTo(Long.MAX_VALUE);
        assertThat(of(0, Long.MAX_VALUE, 1).isInBounds()).isFalse();
        assertThat(of(0, Long.MAX_VALUE, Long.MAX_VALUE, 2).isInBounds()).isFalse();
        assertThat(of(Long.MAX_VALUE, Long.MAX_VALUE, Long.MAX_VALUE).isInBounds())
                .isFalse();
    }
}
