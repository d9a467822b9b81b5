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
import io.tesserafs.fabric.brick.FlushRange;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.Mapping;
import io.tesserafs.fabric.brick.Provider;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.pmem.Pool;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** What every provider of the fabric owes its callers, but for {@link BatchContract}. A provider's test binds it to a fresh brick of few blocks per test. */
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

    /** Where a pool is made before each test. */
    Path poolPath() throws Exception {
        return poolDirectory().resolve("pool");
    }

    @BeforeEach
    final void openBrick() throws Exception {
        Path path = poolPath();
        Pool.create(path, Pool.MIN_BYTES, "test", ID.value());
        brick = LocalBrick.open(Pool.open(path));
    }

    @AfterEach
    final void closeBrick() throws Exception {
        brick.close();
    }

    final BrickClient connect() throws BrickException {
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

    static List<BlockHandle> handles(List<Mapping> mappings) throws BrickException {
        List<BlockHandle> handles = new ArrayList<>();
        for (Mapping mapping : mappings) {
            handles.add(mapping.handle());
        }
        return handles;
    }

    @Test
    void shouldMapAndUnmapSeveralBlocksAtOnce() throws Exception {
        try (BrickClient client = connect();
                BrickClient other = fabric().connect(ID, OTHER);
                Arena arena = Arena.ofConfined()) {
            client.alloc(block(1), block(2), block(3));
            List<BlockId> ids = List.of(block(3), block(1), block(3), block(2));
            BlockHandle kept = client.map(block(1), Access.READ_WRITE);
            for (int soon = 0; soon <= ids.size(); soon++) {
                List<BlockHandle> handles = handles(client.mapAll(Access.READ_WRITE, soon, ids));
                assertThat(handles).extracting(BlockHandle::block).containsExactlyElementsOf(ids);
                MemorySegment buffer = arena.allocate(8);
                for (int i = 0; i < ids.size(); i++) {
                    handles.get(i).write(i * 8L, buffer.fill((byte) (i + 1)), 0, 8);
                }
                List<BlockHandle> readers = handles(other.mapAll(Access.READ, soon, ids));
                for (int i = 0; i < ids.size(); i++) {
                    readers.get(i).read(i * 8L, buffer, 0, 8);
                    assertThat(buffer.get(ValueLayout.JAVA_BYTE, 7)).isEqualTo((byte) (i + 1));
                    BlockHandle reader = readers.get(i);
                    refused(Reason.ACCESS, () -> reader.write(0, buffer, 0, 1));
                }
                client.unmapAll(handles);
                client.unmapAll(handles);
                handles.forEach(handle -> assertDead(handle, buffer));
                assertThat(readers).allMatch(BlockHandle::alive);
                other.unmapAll(readers);
                kept.write(0, buffer, 0, 8);
            }
            assertThat(client.mapAll(Access.READ, 0, List.of())).isEmpty();
            client.unmapAll(List.of());
        }
    }

    @Test
    void shouldMapTheOthersWhenOneDoesNotExist() throws Exception {
        try (BrickClient client = connect();
                Arena arena = Arena.ofConfined()) {
            client.alloc(block(1), block(2), block(3));
            client.free(block(2));
            List<Mapping> mappings = client.mapAll(Access.READ_WRITE, 3, List.of(block(1), block(2), block(3)));
            refused(Reason.NOT_FOUND, () -> mappings.get(1).handle());
            assertThat(mappings.get(1).handleOrNull()).isNull();
            MemorySegment buffer = arena.allocate(8);
            for (int i : new int[] {0, 2}) {
                assertThat(mappings.get(i).handle().block()).isEqualTo(block(i + 1));
                mappings.get(i).handle().write(0, buffer, 0, 8);
            }
        }
    }

    @Test
    void shouldMapMoreBlocksThanOneCallTakes() throws Exception {
        try (BrickClient client = connect();
                Arena arena = Arena.ofConfined()) {
            client.alloc(block(1), block(2));
            List<BlockId> ids = new ArrayList<>();
            for (int i = 0; i < 2500; i++) {
                ids.add(block(1 + i % 2));
            }
            List<BlockHandle> handles = handles(client.mapAll(Access.READ_WRITE, ids.size(), ids));
            assertThat(handles).extracting(BlockHandle::block).containsExactlyElementsOf(ids);
            MemorySegment buffer = arena.allocate(8);
            for (int i : new int[] {0, 31, 32, 1023, 1024, 2499}) {
                handles.get(i).write(0, buffer, 0, 8);
            }
            client.unmapAll(handles);
            assertThat(handles).noneMatch(BlockHandle::alive);
            assertDead(handles.get(2499), buffer);
        }
    }

    /** Of two blocks by turns, each range behind the one before; more than go in one request. */
    private static List<FlushRange> ranges(BlockHandle... handles) {
        List<FlushRange> ranges = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            ranges.add(new FlushRange(handles[i % handles.length], i * 100L, 100));
        }
        return ranges;
    }

    @Test
    void shouldFlushManyRangesAtOnce() throws Exception {
        try (BrickClient client = connect();
                Arena arena = Arena.ofConfined()) {
            client.alloc(block(1), block(2));
            BlockHandle first = client.map(block(1), Access.READ_WRITE);
            BlockHandle second = client.map(block(2), Access.READ_WRITE);
            client.flushAll(List.of());
            client.flushAll(ranges(first, second)); // nothing was written
            MemorySegment bytes = arena.allocate(30_000).fill((byte) 7);
            first.write(0, bytes, 0, 30_000);
            second.write(0, bytes, 0, 30_000);
            client.flushAll(ranges(first, second));
            client.flushAll(ranges(second).subList(0, 1));
            assertThat(first.alive()).isTrue();
            assertThat(second.alive()).isTrue();
            first.read(0, bytes.fill((byte) 0), 0, 30_000);
            assertThat(bytes.toArray(ValueLayout.JAVA_BYTE)).containsOnly(7);
        }
    }

    @Test
    void shouldSayWhyOneOfManyRangesCannotBeFlushed() throws Exception {
        try (BrickClient client = connect()) {
            client.alloc(block(1), block(2));
            BlockHandle alive = client.map(block(1), Access.READ_WRITE);
            BlockHandle dead = client.map(block(2), Access.READ_WRITE);
            List<FlushRange> beyond = ranges(alive, dead);
            beyond.set(280, new FlushRange(alive, BlockId.BLOCK_BYTES - 1, 2));
            refused(Reason.OUT_OF_BOUNDS, () -> client.flushAll(beyond));
            client.unmap(dead);
            refused(Reason.DEAD_HANDLE, () -> client.flushAll(ranges(alive, dead)));
            assertThat(alive.alive()).isTrue();
            client.flushAll(ranges(alive));
        }
    }

    @Test
    void shouldNotFlushForAFencedSession() throws Exception {
        try (BrickClient client = connect();
                BrickClient judge = fabric().connect(ID, OTHER)) {
            client.alloc(block(1));
            BlockHandle handle = client.map(block(1), Access.READ_WRITE);
            judge.fence(SESSION);
            refused(Reason.DEAD_HANDLE, () -> client.flushAll(ranges(handle)));
        }
    }

    @Test
    void shouldUnmapNothingIfOneHandleIsAnothers() throws Exception {
        try (BrickClient client = connect();
                BrickClient other = fabric().connect(ID, OTHER);
                Arena arena = Arena.ofConfined()) {
            client.alloc(block(1), block(2));
            BlockHandle mine = client.map(block(1), Access.READ_WRITE);
            BlockHandle theirs = other.map(block(2), Access.READ_WRITE);
            assertThatThrownBy(() -> client.unmapAll(List.of(mine, theirs)))
                    .isInstanceOf(IllegalArgumentException.class);
            mine.write(0, arena.allocate(8), 0, 8);
            theirs.write(0, arena.allocate(8), 0, 8);
        }
    }

    @Test
    void shouldKillHandlesOfABatchOneByOne() throws Exception {
        try (BrickClient client = connect();
                BrickClient other = fabric().connect(ID, OTHER);
                Arena arena = Arena.ofConfined()) {
            List<BlockId> ids = List.of(block(1), block(2), block(3), block(4));
            client.alloc(ids.toArray(BlockId[]::new));
            List<BlockHandle> handles = handles(client.mapAll(Access.READ_WRITE, 2, ids));
            MemorySegment buffer = arena.allocate(8);
            handles.get(0).write(0, buffer, 0, 8);
            other.free(block(1), block(3));
            client.unmap(handles.get(3));
            assertDead(handles.get(0), buffer);
            handles.get(1).write(0, buffer, 0, 8);
            assertDead(handles.get(2), buffer);
            assertDead(handles.get(3), buffer);
            client.unmapAll(handles);
            assertDead(handles.get(1), buffer);
            other.fence(SESSION);
            refused(Reason.FENCED, () -> client.mapAll(Access.READ, 1, ids));
        }
    }

    @Test
    void shouldCarryBytesOfReadersInEveryOrder() throws Exception {
        try (BrickClient client = connect();
                ExecutorService readers = Executors.newFixedThreadPool(3)) {
            int blocks = (int) client.info().freeBlocks();
            List<BlockId> ids =
                    IntStream.range(0, blocks).mapToObj(BrickContract::block).toList();
            client.alloc(ids.toArray(BlockId[]::new));
            for (BlockHandle handle : handles(client.mapAll(Access.READ_WRITE, 1, ids))) {
                long mark = handle.block().value();
                handle.write(4096, MemorySegment.ofArray(new long[] {mark}), 0, 8);
                client.unmap(handle);
            }
            List<BlockHandle> handles = handles(client.mapAll(Access.READ, 1, ids));
            List<Future<?>> done = new ArrayList<>();
            for (int reader = 0; reader < 3; reader++) {
                Random order = reader == 0 ? null : new Random(reader);
                done.add(readers.submit(() -> {
                    for (int i = 0; i < blocks; i++) {
                        BlockHandle handle = handles.get(order == null ? i : order.nextInt(blocks));
                        long[] seen = new long[1];
                        handle.read(4096, MemorySegment.ofArray(seen), 0, 8);
                        assertThat(seen[0]).isEqualTo(handle.block().value());
                    }
                    return null;
                }));
            }
            for (Future<?> one : done) {
                one.get();
            }
            client.unmapAll(handles);
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
