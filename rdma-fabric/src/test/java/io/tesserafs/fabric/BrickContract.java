package io.tesserafs.fabric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.BrickInfo;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.Provider;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.pmem.Pool;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** What every provider of the fabric owes its callers. A provider's test binds it to a fresh brick of few blocks per test. */
abstract class BrickContract {
    static final SessionId SESSION = new SessionId(0x5e55);
    static final SessionId OTHER = new SessionId(0x07e4);
    static final BrickId ID = new BrickId(7);

    @TempDir
    Path directory;

    /** The brick under test: empty, of few blocks. The provider's test makes it reachable. */
    LocalBrick brick;

    /** Reaches the brick. */
    abstract Fabric fabric();

    abstract Provider provider();

    Path poolDirectory() {
        return directory;
    }

    @BeforeEach
    final void openBrick() throws Exception {
        Path path = poolDirectory().resolve("pool");
        Pool.create(path, Pool.MIN_BYTES, "test", ID.value());
        brick = LocalBrick.open(Pool.open(path));
    }

    @AfterEach
    final void closeBrick() throws Exception {
        brick.close();
    }

    private BrickClient connect() throws BrickException {
        return fabric().connect(ID, SESSION);
    }

    static BlockId block(long sequence) {
        return BlockId.of(1, sequence);
    }

    static void refused(Reason reason, Executable call) {
        assertThat(assertThrows(BrickException.class, call).reason()).isEqualTo(reason);
    }

    @Test
    void shouldDescribeTheBrick() throws Exception {
        try (BrickClient client = connect()) {
            BrickInfo info = client.info();
            assertThat(client.brick()).isEqualTo(ID);
            assertThat(client.session()).isEqualTo(SESSION);
            assertThat(client.provider()).isEqualTo(provider());
            assertThat(info.brick()).isEqualTo(ID);
            assertThat(info.freeBlocks()).isEqualTo(info.totalBlocks()).isBetween(8L, 64L);
            client.alloc(block(1), block(2));
            assertThat(client.info().freeBlocks()).isEqualTo(info.freeBlocks() - 2);
        }
    }

    @Test
    void shouldNotReachAnUnknownBrick() {
        refused(Reason.UNREACHABLE, () -> fabric().connect(new BrickId(0xFFFF), SESSION));
    }

    @Test
    void shouldListAllocatedIdsInOrderByVolume() throws Exception {
        try (BrickClient client = connect()) {
            client.alloc(block(30), block(10), BlockId.of(0x8001, 5), BlockId.of(2, 1), block(20));
            assertThat(client.list(block(0), 100))
                    .containsExactly(
                            block(10).value(), block(20).value(), block(30).value());
            assertThat(client.list(block(11), 1)).containsExactly(block(20).value());
            assertThat(client.list(block(31), 10)).isEmpty();
            assertThat(client.list(BlockId.of(0x8001, 0), 10))
                    .containsExactly(BlockId.of(0x8001, 5).value());
            assertThat(client.list(BlockId.of(3, 0), 10)).isEmpty();
        }
    }

    @Test
    void shouldAllocateAllOrNothing() throws Exception {
        try (BrickClient client = connect()) {
            client.alloc(block(1));
            refused(Reason.EXISTS, () -> client.alloc(block(2), block(1)));
            refused(Reason.EXISTS, () -> client.alloc(block(3), block(3)));
            BlockId[] tooMany = new BlockId[(int) client.info().freeBlocks() + 1];
            for (int i = 0; i < tooMany.length; i++) {
                tooMany[i] = block(100 + i);
            }
            refused(Reason.NO_SPACE, () -> client.alloc(tooMany));
            assertThat(client.list(block(0), 100)).containsExactly(block(1).value());
            assertThat(client.info().freeBlocks()).isEqualTo(client.info().totalBlocks() - 1);
        }
    }

    @Test
    void shouldFreeTheOthersWhenOneDoesNotExist() throws Exception {
        try (BrickClient client = connect()) {
            client.alloc(block(1), block(2), block(3));
            refused(Reason.NOT_FOUND, () -> client.free(block(1), block(9), block(3)));
            assertThat(client.list(block(0), 100)).containsExactly(block(2).value());
            assertThat(client.info().freeBlocks()).isEqualTo(client.info().totalBlocks() - 1);
        }
    }

    @Test
    void shouldUseFreedBlocksAgain() throws Exception {
        try (BrickClient client = connect()) {
            long total = client.info().totalBlocks();
            for (long round = 0; round < 3; round++) {
                for (long i = 0; i < total; i++) {
                    client.alloc(block(round * total + i));
                }
                refused(Reason.NO_SPACE, () -> client.alloc(block(1_000_000)));
                for (long i = 0; i < total; i++) {
                    client.free(block(round * total + i));
                }
            }
            assertThat(client.info().freeBlocks()).isEqualTo(total);
        }
    }

    @Test
    void shouldCarryBytesBetweenSessions() throws Exception {
        try (BrickClient client = connect();
                BrickClient other = fabric().connect(ID, OTHER);
                Arena arena = Arena.ofConfined()) {
            client.alloc(block(1), block(2));
            BlockHandle writer = client.map(block(1), Access.READ_WRITE);
            BlockHandle reader = other.map(block(1), Access.READ);
            MemorySegment source = arena.allocateFrom("--tessera");
            int last = BlockId.BLOCK_BYTES - 7;
            writer.write(last, source, 2, 7);
            MemorySegment target = arena.allocate(9);
            reader.read(last, target, 1, 7);
            assertThat(target.getString(1)).isEqualTo("tessera");
            writer.flush(last, 7);
            writer.flush(1, 0);
            writer.flush(4095, 8192);
        }
    }

    @Test
    void shouldCheckBoundsAndAccess() throws Exception {
        try (BrickClient client = connect();
                Arena arena = Arena.ofConfined()) {
            client.alloc(block(1));
            BlockHandle handle = client.map(block(1), Access.READ_WRITE);
            MemorySegment buffer = arena.allocate(16);
            for (long[] range : new long[][] {
                {-1, 4},
                {0, -1},
                {BlockId.BLOCK_BYTES - 3, 4},
                {BlockId.BLOCK_BYTES + 1, 0},
                {Long.MAX_VALUE, 4},
                {4, Long.MAX_VALUE}
            }) {
                refused(Reason.OUT_OF_BOUNDS, () -> handle.read(range[0], buffer, 0, range[1]));
                refused(Reason.OUT_OF_BOUNDS, () -> handle.write(range[0], buffer, 0, range[1]));
                refused(Reason.OUT_OF_BOUNDS, () -> handle.flush(range[0], range[1]));
            }
            BlockHandle reader = client.map(block(1), Access.READ);
            refused(Reason.ACCESS, () -> reader.write(0, buffer, 0, 1));
            assertThat(reader.access()).isEqualTo(Access.READ);
        }
    }

    @Test
    void shouldOfferMemoryOnlyAsFarAsAccessGoes() throws Exception {
        try (BrickClient client = connect()) {
            client.alloc(block(1));
            MemorySegment writable = client.map(block(1), Access.READ_WRITE).memory();
            MemorySegment readable = client.map(block(1), Access.READ).memory();
            assumeTrue(writable != null && readable != null, "this provider does not map");
            assertThat(writable.byteSize()).isEqualTo(BlockId.BLOCK_BYTES);
            assertThat(readable.byteSize()).isEqualTo(BlockId.BLOCK_BYTES);
            assertThat(readable.isReadOnly()).isTrue();
            writable.set(ValueLayout.JAVA_LONG, 4096, 42);
            assertThat(readable.get(ValueLayout.JAVA_LONG, 4096)).isEqualTo(42);
        }
    }

    @Test
    void shouldKillOnlyTheUnmappedHandle() throws Exception {
        try (BrickClient client = connect();
                Arena arena = Arena.ofConfined()) {
            client.alloc(block(1));
            BlockHandle first = client.map(block(1), Access.READ_WRITE);
            BlockHandle second = client.map(block(1), Access.READ_WRITE);
            client.unmap(first);
            client.unmap(first);
            assertDead(first, arena.allocate(8));
            assertThat(second.alive()).isTrue();
            second.write(0, arena.allocate(8), 0, 8);
        }
    }

    private static void assertDead(BlockHandle handle, MemorySegment buffer) {
        assertThat(handle.alive()).isFalse();
        refused(Reason.DEAD_HANDLE, () -> handle.read(0, buffer, 0, 1));
        refused(Reason.DEAD_HANDLE, () -> handle.write(0, buffer, 0, 1));
        refused(Reason.DEAD_HANDLE, () -> handle.flush(0, 1));
    }

    @Test
    void shouldNotUnmapAnothersHandle() throws Exception {
        try (BrickClient client = connect();
                BrickClient other = fabric().connect(ID, OTHER)) {
            client.alloc(block(1));
            BlockHandle handle = client.map(block(1), Access.READ);
            assertThatThrownBy(() -> other.unmap(handle)).isInstanceOf(IllegalArgumentException.class);
            assertThat(handle.alive()).isTrue();
        }
    }

    @Test
    void shouldKillHandlesOfAFreedBlockAndForgetItsId() throws Exception {
        try (BrickClient client = connect();
                BrickClient other = fabric().connect(ID, OTHER);
                Arena arena = Arena.ofConfined()) {
            client.alloc(block(1), block(2));
            BlockHandle mine = client.map(block(1), Access.READ_WRITE);
            BlockHandle theirs = other.map(block(1), Access.READ_WRITE);
            BlockHandle untouched = other.map(block(2), Access.READ_WRITE);
            client.free(block(1));
            assertDead(mine, arena.allocate(8));
            assertDead(theirs, arena.allocate(8));
            assertThat(untouched.alive()).isTrue();
            refused(Reason.NOT_FOUND, () -> client.map(block(1), Access.READ));
            refused(Reason.NOT_FOUND, () -> client.free(block(1)));
            client.unmap(mine);
        }
    }

    @Test
    void shouldFenceEveryClientOfASession() throws Exception {
        try (BrickClient client = connect();
                BrickClient victim = fabric().connect(ID, OTHER);
                BrickClient victimToo = fabric().connect(ID, OTHER);
                Arena arena = Arena.ofConfined()) {
            client.alloc(block(1));
            BlockHandle mine = client.map(block(1), Access.READ_WRITE);
            BlockHandle first = victim.map(block(1), Access.READ_WRITE);
            BlockHandle second = victimToo.map(block(1), Access.READ_WRITE);
            client.fence(OTHER);
            client.fence(OTHER);
            assertDead(first, arena.allocate(8));
            assertDead(second, arena.allocate(8));
            assertThat(mine.alive()).isTrue();
            refused(Reason.FENCED, () -> victim.alloc(block(2)));
            refused(Reason.FENCED, () -> victim.free(block(1)));
            refused(Reason.FENCED, () -> victim.map(block(1), Access.READ));
            refused(Reason.FENCED, () -> victim.list(block(0), 10));
            refused(Reason.FENCED, () -> victim.fence(SESSION));
            refused(Reason.FENCED, () -> fabric().connect(ID, OTHER));
            assertThat(client.list(block(0), 10)).containsExactly(block(1).value());
        }
    }

    @Test
    void shouldUnmapWhatAClientHoldsWhenItCloses() throws Exception {
        try (BrickClient stays = connect();
                Arena arena = Arena.ofConfined()) {
            stays.alloc(block(1));
            BlockHandle kept = stays.map(block(1), Access.READ_WRITE);
            BrickClient goes = connect();
            BlockHandle lost = goes.map(block(1), Access.READ_WRITE);
            goes.close();
            goes.close();
            assertDead(lost, arena.allocate(8));
            assertThat(kept.alive()).isTrue();
        }
    }

    @Test
    void shouldLandNoWriteAfterUnmapReturns() throws Exception {
        try (BrickClient client = connect();
                ExecutorService writers = Executors.newFixedThreadPool(2)) {
            client.alloc(block(1));
            BlockHandle witness = client.map(block(1), Access.READ_WRITE);
            for (int round = 0; round < 50; round++) {
                BlockHandle handle = client.map(block(1), Access.READ_WRITE);
                CountDownLatch running = new CountDownLatch(2);
                List<Future<Reason>> outcomes = new ArrayList<>();
                for (int w = 0; w < 2; w++) {
                    outcomes.add(writers.submit(writeUntilRefused(handle, running)));
                }
                running.await();
                client.unmap(handle);
                try (Arena arena = Arena.ofConfined()) {
                    MemorySegment zeros = arena.allocate(BlockId.BLOCK_BYTES);
                    MemorySegment seen = arena.allocate(BlockId.BLOCK_BYTES);
                    witness.write(0, zeros, 0, zeros.byteSize());
                    for (Future<Reason> outcome : outcomes) {
                        assertThat(outcome.get()).isEqualTo(Reason.DEAD_HANDLE);
                    }
                    witness.read(0, seen, 0, seen.byteSize());
                    assertThat(seen.mismatch(zeros)).isEqualTo(-1);
                }
            }
        }
    }

    private static Callable<Reason> writeUntilRefused(BlockHandle handle, CountDownLatch running) {
        return () -> {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment ones = arena.allocate(256 << 10).fill((byte) 1);
                handle.write(0, ones, 0, ones.byteSize());
                running.countDown();
                for (long offset = 0; ; offset = (offset + ones.byteSize()) % BlockId.BLOCK_BYTES) {
                    handle.write(offset, ones, 0, ones.byteSize());
                }
            } catch (BrickException e) {
                return e.reason();
            }
        };
    }
}
