package io.tesserafs.fabric.brick;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.fabric.pmem.PoolException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LocalBrickTest {
    private static final SessionId SESSION = new SessionId(1);

    @TempDir
    Path directory;

    private Path path;

    @BeforeEach
    void createPool() throws Exception {
        path = TestPools.create(directory.resolve("pool"));
    }

    private LocalBrick open() throws Exception {
        return LocalBrick.open(Pool.open(path));
    }

    private static BlockId block(long sequence) {
        return BlockId.of(1, sequence);
    }

    @Test
    void shouldKeepBlocksAndBytesOverARestart() throws Exception {
        for (boolean clean : new boolean[] {true, false}) {
            try (LocalBrick brick = open();
                    BrickClient client = brick.connect(SESSION)) {
                client.alloc(block(1), block(2), block(3));
                client.free(block(2));
                BlockHandle handle = client.map(block(3), Access.READ_WRITE);
                handle.memory().set(ValueLayout.JAVA_INT, 64, 4711);
                handle.flush(64, 4);
                if (!clean) {
                    brick.abandon();
                }
            }
            try (LocalBrick brick = open();
                    BrickClient client = brick.connect(SESSION)) {
                assertThat(client.list(block(0), 10)).containsExactly(block(1).value(), block(3).value());
                assertThat(client.map(block(3), Access.READ).memory().get(ValueLayout.JAVA_INT, 64))
                        .isEqualTo(4711);
                client.free(block(1), block(3));
            }
        }
    }

    @Test
    void shouldRefuseACorruptTableAndLeaveTheFileAlone() throws Exception {
        try (LocalBrick brick = open();
                BrickClient client = brick.connect(SESSION)) {
            client.alloc(block(1), block(2));
        }
        byte[] head = TestPools.head(path);
        head[TestPools.TABLE_A + 16] ^= 1;
        head[TestPools.TABLE_B + 16] ^= 2;
        TestPools.putHead(path, head);
        var modified = Files.getLastModifiedTime(path);
        BrickException e = assertThrows(BrickException.class, this::open);
        assertThat(e.reason()).isEqualTo(Reason.CORRUPT);
        assertThat(e).hasMessageContaining("pool " + path).hasMessageContaining("entry 1 is damaged in both copies");
        assertThat(TestPools.head(path)).isEqualTo(head);
        assertThat(Files.getLastModifiedTime(path)).isEqualTo(modified);
        Pool.open(path).close();
    }

    @Test
    void shouldRefuseTwoEntriesOfOneBlock() throws Exception {
        Pool pool = Pool.open(path);
        pool.beginUse();
        AllocationTable table = new AllocationTable(pool);
        table.putAllocated(4, block(1).value());
        table.putAllocated(6, block(1).value());
        pool.close();
        BrickException e = assertThrows(BrickException.class, this::open);
        assertThat(e.reason()).isEqualTo(Reason.CORRUPT);
        assertThat(e).hasMessageContaining("entry 6 says block 1:1, as does entry 4");
    }

    @Test
    void shouldRepairADamagedCopy() throws Exception {
        try (LocalBrick brick = open();
                BrickClient client = brick.connect(SESSION)) {
            client.alloc(block(1), block(2));
        }
        byte[] good = TestPools.head(path);
        byte[] head = good.clone();
        head[TestPools.TABLE_A + 16] ^= 1;
        head[TestPools.TABLE_B + 5 * 16 + 9] ^= 2;
        TestPools.putHead(path, head);
        try (PoolInspector inspector = PoolInspector.open(path)) {
            assertThat(inspector.tableReport().repairable()).hasSize(2);
            assertThat(inspector.tableReport().isClean()).isFalse();
        }
        try (LocalBrick brick = open();
                BrickClient client = brick.connect(SESSION)) {
            assertThat(client.list(block(0), 10)).containsExactly(block(1).value(), block(2).value());
        }
        assertThat(TestPools.head(path)).satisfies(h -> {
            for (int at = TestPools.TABLE_A; at < h.length; at++) {
                assertThat(h[at]).isEqualTo(good[at]);
            }
        });
    }

    @Test
    void shouldNotOpenAPoolWithoutANumber() throws Exception {
        Path homeless = directory.resolve("homeless");
        Pool.create(homeless, Pool.MIN_BYTES, "", 0);
        byte[] before = TestPools.head(homeless);
        assertThatThrownBy(() -> LocalBrick.open(Pool.open(homeless)))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("has not joined");
        assertThat(TestPools.head(homeless)).isEqualTo(before);
        Pool.open(homeless).close();
    }

    @Test
    void shouldInspectWithoutChangingAnything() throws Exception {
        try (LocalBrick brick = open();
                BrickClient client = brick.connect(SESSION)) {
            client.alloc(block(5), BlockId.of(2, 1), block(4));
            client.map(block(4), Access.READ_WRITE).memory().set(ValueLayout.JAVA_BYTE, 9, (byte) 44);
            PoolException e = assertThrows(PoolException.class, () -> PoolInspector.open(path));
            assertThat(e.reason()).isEqualTo(PoolException.Reason.IN_USE);
            try (PoolInspector live = PoolInspector.open(path, true)) {
                assertThat(live.allocated()).hasSize(3);
            }
        }
        byte[] before = TestPools.head(path);
        try (PoolInspector inspector = PoolInspector.open(path)) {
            assertThat(inspector.allocated()).containsExactly(block(4), block(5), BlockId.of(2, 1));
            assertThat(inspector.tableReport().isClean()).isTrue();
            assertThat(inspector.tableReport().allocatedBlocks()).isEqualTo(3);
            assertThat(inspector.block(block(4)).get(ValueLayout.JAVA_BYTE, 9)).isEqualTo((byte) 44);
            assertThat(inspector.block(block(4)).isReadOnly()).isTrue();
            assertThat(inspector.block(block(99))).isNull();
            assertThat(inspector.info().cleanShutdown()).isTrue();
        }
        assertThat(TestPools.head(path)).isEqualTo(before);
    }

    @Test
    void shouldBeUnreachableOnceClosed() throws Exception {
        LocalBrick brick = open();
        BrickClient client = brick.connect(SESSION);
        client.alloc(block(1));
        BlockHandle handle = client.map(block(1), Access.READ_WRITE);
        brick.close();
        brick.close();
        assertThat(handle.alive()).isFalse();
        assertThat(assertThrows(BrickException.class, () -> client.map(block(1), Access.READ))
                        .reason())
                .isEqualTo(Reason.UNREACHABLE);
        client.unmap(handle);
        client.close();
    }

    @Test
    void shouldNeverGiveOneBlockToTwo() throws Exception {
        try (LocalBrick brick = open();
                ExecutorService threads = Executors.newFixedThreadPool(3)) {
            List<Future<Integer>> workers = new ArrayList<>();
            for (int volume = 1; volume <= 3; volume++) {
                workers.add(threads.submit(allocateStampAndFree(brick, volume)));
            }
            for (Future<Integer> worker : workers) {
                assertThat(worker.get()).isZero();
            }
            assertThat(brick.info().freeBlocks()).isEqualTo(31);
        }
    }

    /** Counts the stamps it found overwritten. */
    private static Callable<Integer> allocateStampAndFree(LocalBrick brick, int volume) {
        return () -> {
            Random random = new Random(volume);
            List<BlockHandle> held = new ArrayList<>();
            int overwritten = 0;
            try (BrickClient client = brick.connect(new SessionId(volume))) {
                for (int step = 0; step < 300 || !held.isEmpty(); step++) {
                    if (step < 300 && held.size() < 10 && random.nextBoolean()) {
                        BlockId id = BlockId.of(volume, step);
                        client.alloc(id);
                        BlockHandle handle = client.map(id, Access.READ_WRITE);
                        handle.memory().set(ValueLayout.JAVA_LONG, 0, id.value());
                        held.add(handle);
                    } else if (!held.isEmpty()) {
                        BlockHandle handle = held.remove(random.nextInt(held.size()));
                        if (handle.memory().get(ValueLayout.JAVA_LONG, 0)
                                != handle.block().value()) {
                            overwritten++;
                        }
                        client.free(handle.block());
                    }
                }
            }
            return overwritten;
        };
    }
}
