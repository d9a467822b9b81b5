package io.tesserafs.fuse.protocol;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class BufferPoolTest {
    private static final int MAX_WRITE = 64 << 10;
    private static final int MANY = 50;

    private final Arena arena = Arena.ofShared();
    private final List<MemorySegment> given = new ArrayList<>();

    private final RequestMemory source = bytes -> {
        if (given.size() == 3) {
            return null;
        }
        MemorySegment memory = arena.allocate(bytes, 4096);
        given.add(memory);
        return memory;
    };

    @AfterEach
    void free() {
        arena.close();
    }

    private static List<RequestBuffer> take(BufferPool pool) {
        List<RequestBuffer> all = new ArrayList<>();
        for (int i = 0; i < MANY; i++) {
            RequestBuffer buffer = pool.takeBuffer();
            buffer.memory().set(JAVA_BYTE, RequestBuffer.PAYLOAD_OFFSET, (byte) i);
            all.add(buffer);
        }
        return all;
    }

    @Test
    void shouldKeepThePagesOfMemoryItWasGiven() {
        BufferPool pool = new BufferPool(MAX_WRITE, source);
        List<RequestBuffer> all = take(pool);
        assertThat(given).hasSize(3);
        all.reversed().forEach(pool::giveBack);
        for (int i = 0; i < given.size(); i++) {
            assertThat(given.get(i).get(JAVA_BYTE, 4096)).isEqualTo((byte) i);
        }
        assertThat(take(pool)).containsExactlyInAnyOrderElementsOf(all);
        assertThat(given).hasSize(3);
        pool.close();
    }

    @Test
    void shouldDoWithoutSpecialMemory() {
        BufferPool pool = new BufferPool(MAX_WRITE, RequestMemory.ANY);
        List<RequestBuffer> all = take(pool);
        assertThat(all.stream().noneMatch(RequestBuffer::isLasting)).isTrue();
        all.forEach(pool::giveBack);
        pool.close();
    }
}
