package io.tesserafs.fabric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.tcp.TcpBricks;
import io.tesserafs.fabric.tcp.TcpTransport;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

/** A brick of another daemon of this host, whose pool is mapped here too. */
class ShmFabricTest extends TcpFabricTest {
    @Override
    TcpBricks bricks(TcpTransport transport) {
        return new TcpBricks(transport);
    }

    @Override
    boolean sharesMemory() {
        return true;
    }

    @Test
    void shouldSeeTheSameMemoryAsTheOwner() throws Exception {
        try (BrickClient remote = fabric.connect(ID, SESSION);
                BrickClient local = brick.connect(OTHER)) {
            remote.alloc(block(1));
            MemorySegment theirs = remote.map(block(1), Access.READ_WRITE).memory();
            MemorySegment mine = local.map(block(1), Access.READ).memory();
            theirs.set(ValueLayout.JAVA_LONG, 8, 42);
            assertThat(mine.get(ValueLayout.JAVA_LONG, 8)).isEqualTo(42);
        }
    }

    @Test
    void shouldMakeMemoryUnreachableBeforeFenceFreeOrUnmapReturns() throws Exception {
        try (Node other = node(new PeerId(3, 3));
                BrickClient mine = fabric.connect(ID, SESSION);
                BrickClient theirs = other.fabric(this::locate).connect(ID, OTHER)) {
            mine.alloc(block(1), block(2), block(3));
            MemorySegment freed = theirs.map(block(1), Access.READ_WRITE).memory();
            MemorySegment fenced = theirs.map(block(2), Access.READ_WRITE).memory();
            BlockHandle unmapped = mine.map(block(3), Access.READ_WRITE);
            MemorySegment unmappedMemory = unmapped.memory();
            mine.free(block(1));
            assertUnreachable(freed);
            fenced.set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
            mine.fence(OTHER);
            assertUnreachable(fenced);
            mine.unmap(unmapped);
            assertUnreachable(unmappedMemory);
        }
    }

    private static void assertUnreachable(MemorySegment memory) {
        assertThatThrownBy(() -> memory.set(ValueLayout.JAVA_BYTE, 0, (byte) 1))
                .isInstanceOf(IllegalStateException.class);
    }

    @Test
    void shouldLandNoDirectWriteAfterFence() throws Exception {
        try (Node other = node(new PeerId(3, 3));
                BrickClient mine = fabric.connect(ID, SESSION);
                BrickClient theirs = other.fabric(this::locate).connect(ID, OTHER);
                Arena arena = Arena.ofConfined()) {
            mine.alloc(block(1));
            MemorySegment memory = theirs.map(block(1), Access.READ_WRITE).memory();
            BlockHandle witness = mine.map(block(1), Access.READ_WRITE);
            CountDownLatch running = new CountDownLatch(1);
            Thread writer = Thread.ofPlatform().start(() -> {
                try {
                    while (true) {
                        memory.fill((byte) 1);
                        running.countDown();
                    }
                } catch (IllegalStateException e) {
                    assertThat(memory.scope().isAlive()).isFalse();
                }
            });
            running.await();
            mine.fence(OTHER);
            MemorySegment zeros = arena.allocate(BlockId.BLOCK_BYTES);
            MemorySegment seen = arena.allocate(BlockId.BLOCK_BYTES);
            witness.write(0, zeros, 0, zeros.byteSize());
            writer.join();
            witness.read(0, seen, 0, seen.byteSize());
            assertThat(seen.mismatch(zeros)).isEqualTo(-1);
        }
    }

    @Test
    void shouldForgetAHolderThatComesBackOnANewConnection() throws Exception {
        BrickClient client = fabric.connect(ID, SESSION);
        client.alloc(block(1), block(2));
        BlockHandle handle = client.map(block(1), Access.READ_WRITE);
        connection().close();
        try (BrickClient again = fabric.connect(ID, OTHER)) {
            assertThat(handle.alive()).isFalse();
            assertUnreachable(handle.memory());
            again.free(block(1));
        }
    }

    @Test
    void shouldFallBackToTheSocketWhereThePoolIsNotInReach() throws Exception {
        Path pool = brick.pool().path();
        Path elsewhere = pool.resolveSibling("moved");
        Files.move(pool, elsewhere);
        try (BrickClient client = fabric.connect(ID, SESSION)) {
            client.alloc(block(1));
            BlockHandle handle = client.map(block(1), Access.READ_WRITE);
            assertThat(handle.memory()).isNull();
            handle.write(0, MemorySegment.ofArray(new byte[8]), 0, 8);
        }
        Files.copy(elsewhere, pool);
        try (BrickClient client = fabric.connect(ID, SESSION)) {
            assertThat(client.map(block(1), Access.READ).memory())
                    .as("a copy of the pool is not the pool")
                    .isNull();
            client.free(block(1));
            refused(Reason.NOT_FOUND, () -> client.map(block(1), Access.READ));
        }
    }
}
