package io.tesserafs.fabric.brick;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class TransferMemoryTest {
    @Test
    void shouldCutPagesFromPieces() {
        List<MemorySegment> all = new ArrayList<>();
        for (long bytes : new long[] {1, 4096, 4097, 100_000, 1 << 20, TransferMemory.PIECE_BYTES}) {
            MemorySegment memory = TransferMemory.allocate(bytes);
            assertThat(memory.byteSize()).isEqualTo(bytes);
            assertThat(memory.address() % 4096).isZero();
            int piece = TransferMemory.pieceOf(memory);
            assertThat(piece).isNotNegative();
            assertThat(TransferMemory.piece(piece).asOverlappingSlice(memory)).isPresent();
            all.forEach(other -> assertThat(other.asOverlappingSlice(memory)).isEmpty());
            all.add(memory);
        }
    }

    @Test
    void shouldGiveOtherMemoryBeyondItsLimit() {
        assertThat(TransferMemory.pieceOf(TransferMemory.allocate(TransferMemory.PIECE_BYTES + 1)))
                .isNegative();
    }

    @Test
    void shouldTellOtherMemoryApart() {
        MemorySegment mine = TransferMemory.allocate(4096);
        MemorySegment piece = TransferMemory.piece(TransferMemory.pieceOf(mine));
        assertThat(TransferMemory.pieceOf(piece)).isNotNegative();
        assertThat(TransferMemory.pieceOf(piece.reinterpret(piece.byteSize() + 1)))
                .isNegative();
        assertThat(TransferMemory.pieceOf(MemorySegment.ofArray(new byte[8]))).isNegative();
        try (Arena arena = Arena.ofConfined()) {
            assertThat(TransferMemory.pieceOf(arena.allocate(8))).isNegative();
        }
    }
}
