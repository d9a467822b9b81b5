package io.tesserafs.fabric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.FlushRange;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.brick.Transfer;
import io.tesserafs.fabric.brick.TransferMemory;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The rest of what every provider owes its callers, and what its test extends: ranges that are read or written together. */
abstract class BatchContract extends BrickContract {
    /**
     * Memory cut into parts of which some may be empty, next to each other or not, and of any kind.
     *
     * @param known gives memory that devices know
     * @param bytes of all together
     */
    private static List<MemorySegment> parts(Random random, Arena arena, SegmentAllocator known, int bytes) {
        List<MemorySegment> parts = new ArrayList<>();
        int most = 1 + random.nextInt(1 + random.nextInt(40_000));
        boolean allKnown = random.nextInt(4) > 0;
        for (int left = bytes; left > 0; ) {
            int length = Math.min(left, random.nextInt(most + 1));
            int gap = random.nextInt(3);
            parts.add(
                    switch (allKnown ? 0 : random.nextInt(3)) {
                        case 0 -> known.allocate(length + gap).asSlice(gap, length);
                        case 1 -> arena.allocate(length + gap).asSlice(gap, length);
                        default -> MemorySegment.ofArray(new byte[length]);
                    });
            left -= length;
        }
        return parts;
    }

    /** Fills the parts, and puts the same behind one another. */
    private static void fill(Random random, List<MemorySegment> parts, MemorySegment into) {
        long at = 0;
        for (MemorySegment part : parts) {
            byte[] bytes = new byte[(int) part.byteSize()];
            random.nextBytes(bytes);
            part.copyFrom(MemorySegment.ofArray(bytes));
            into.asSlice(at, bytes.length).copyFrom(part);
            at += bytes.length;
        }
    }

    private static byte[] joined(List<MemorySegment> parts) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        parts.forEach(part -> all.writeBytes(part.toArray(ValueLayout.JAVA_BYTE)));
        return all.toByteArray();
    }

    @Test
    void shouldMoveManyRangesAtOnceAsOneByOne() throws Exception {
        long seed = new Random().nextLong();
        System.out.println(getClass().getSimpleName() + " seed " + seed);
        Random random = new Random(seed);
        int blocks = 4;
        MemorySegment piece = TransferMemory.allocate(8 << 20); // one for all, as there are few
        List<BlockId> ids =
                IntStream.range(0, blocks).mapToObj(BrickContract::block).toList();
        try (BrickClient client = connect();
                BrickClient other = fabric().connect(ID, OTHER)) {
            client.alloc(ids.toArray(BlockId[]::new));
            MemorySegment[] model = new MemorySegment[blocks];
            List<BlockHandle> witnesses = handles(other.mapAll(Access.READ_WRITE, 0, ids));
            for (int i = 0; i < blocks; i++) {
                model[i] = MemorySegment.ofArray(new byte[BlockId.BLOCK_BYTES]);
                witnesses.get(i).write(0, model[i], 0, BlockId.BLOCK_BYTES);
            }
            for (int round = 0; round < 8; round++) {
                List<BlockHandle> handles = handles(client.mapAll(Access.READ_WRITE, random.nextInt(blocks), ids));
                SegmentAllocator known = SegmentAllocator.slicingAllocator(piece);
                try (Arena arena = Arena.ofConfined()) {
                    List<Transfer> writes = new ArrayList<>();
                    List<Transfer> reads = new ArrayList<>();
                    for (int i = 0; i < blocks; i++) {
                        int at = random.nextInt(4) == 0 ? 0 : random.nextInt(20_000);
                        for (int n = random.nextInt(10); n > 0; n--) {
                            int bytes = random.nextInt(40_000);
                            List<MemorySegment> parts = parts(random, arena, known, bytes);
                            fill(random, parts, model[i].asSlice(at, bytes));
                            writes.add(new Transfer(handles.get(i), at, parts));
                            reads.add(new Transfer(handles.get(i), at, parts(random, arena, known, bytes)));
                            at += bytes + random.nextInt(3) * random.nextInt(50_000);
                        }
                    }
                    Collections.shuffle(writes, random);
                    Collections.shuffle(reads, random);
                    client.writeAll(writes);
                    MemorySegment seen = MemorySegment.ofArray(new byte[BlockId.BLOCK_BYTES]);
                    for (int i = 0; i < blocks; i++) {
                        witnesses.get(i).read(0, seen, 0, BlockId.BLOCK_BYTES);
                        assertThat(seen.mismatch(model[i]))
                                .as("seed %d, round %d, first byte that differs in block %d", seed, round, i)
                                .isEqualTo(-1);
                    }
                    client.readAll(reads);
                    for (Transfer read : reads) {
                        MemorySegment expected =
                                model[handles.indexOf(read.handle())].asSlice(read.offset(), read.bytes());
                        assertThat(joined(read.parts()))
                                .as("seed %d, round %d, read at %d", seed, round, read.offset())
                                .isEqualTo(expected.toArray(ValueLayout.JAVA_BYTE));
                    }
                    client.flushAll(writes.stream()
                            .map(write -> new FlushRange(write.handle(), write.offset(), write.bytes()))
                            .toList());
                    client.unmapAll(handles);
                }
            }
        }
    }

    @Test
    void shouldMoveNothingWhereThereIsNothing() throws Exception {
        try (BrickClient client = connect()) {
            client.alloc(block(1));
            BlockHandle handle = client.map(block(1), Access.READ_WRITE);
            handle.write(0, MemorySegment.ofArray(new byte[] {1, 2, 3}), 0, 3);
            client.readAll(List.of());
            client.writeAll(List.of());
            MemorySegment none = TransferMemory.allocate(4).asSlice(4);
            MemorySegment both = TransferMemory.allocate(2).fill((byte) 9);
            List<Transfer> empty = List.of(
                    new Transfer(handle, 0, List.of()), new Transfer(handle, BlockId.BLOCK_BYTES, List.of(none, none)));
            client.writeAll(empty);
            client.readAll(empty);
            client.writeAll(List.of(
                    new Transfer(handle, 1, List.of(none, both.asSlice(0, 1), none, both.asSlice(1, 1), none))));
            byte[] seen = new byte[4];
            client.readAll(List.of(new Transfer(handle, 0, List.of(none, MemorySegment.ofArray(seen), none))));
            assertThat(seen).startsWith(1, 9, 9);
        }
    }

    private static void assertZero(BlockHandle handle) throws BrickException {
        MemorySegment seen = MemorySegment.ofArray(new byte[BlockId.BLOCK_BYTES]);
        handle.read(0, seen, 0, BlockId.BLOCK_BYTES);
        assertThat(seen.mismatch(MemorySegment.ofArray(new byte[BlockId.BLOCK_BYTES])))
                .as("first byte that changed")
                .isEqualTo(-1);
    }

    private BlockHandle zeroed(BrickClient client, BlockId id) throws BrickException {
        BlockHandle handle = client.map(id, Access.READ_WRITE);
        handle.write(0, MemorySegment.ofArray(new byte[BlockId.BLOCK_BYTES]), 0, BlockId.BLOCK_BYTES);
        return handle;
    }

    @Test
    void shouldWriteNothingIfOneOfManyIsRefusedForWhatItIs() throws Exception {
        try (BrickClient client = connect();
                BrickClient other = fabric().connect(ID, OTHER)) {
            client.alloc(block(1), block(2));
            BlockHandle handle = zeroed(client, block(1));
            MemorySegment ones = TransferMemory.allocate(100).fill((byte) 1);
            Transfer good = new Transfer(handle, 0, List.of(ones, ones));
            for (Transfer bad : List.of(
                    new Transfer(handle, BlockId.BLOCK_BYTES - 199, List.of(ones, ones)),
                    new Transfer(handle, -1, List.of(ones)),
                    new Transfer(handle, Long.MAX_VALUE, List.of(ones)))) {
                refused(Reason.OUT_OF_BOUNDS, () -> client.writeAll(List.of(good, bad)));
                refused(Reason.OUT_OF_BOUNDS, () -> client.readAll(List.of(good, bad)));
            }
            Transfer byReader = new Transfer(client.map(block(2), Access.READ), 0, List.of(ones));
            refused(Reason.ACCESS, () -> client.writeAll(List.of(good, byReader)));
            Transfer foreign = new Transfer(other.map(block(2), Access.READ_WRITE), 0, List.of(ones));
            assertThatThrownBy(() -> client.writeAll(List.of(good, foreign)))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> client.readAll(List.of(good, foreign)))
                    .isInstanceOf(IllegalArgumentException.class);
            Transfer intoReadOnly = new Transfer(handle, 0, List.of(ones.asReadOnly()));
            assertThatThrownBy(() -> client.readAll(List.of(good, intoReadOnly)))
                    .isInstanceOf(IllegalArgumentException.class);
            assertZero(handle);
            assertThat(joined(good.parts())).as("nothing was read").containsOnly(1);
            client.readAll(List.of(new Transfer(byReader.handle(), 0, List.of(ones))));
            client.writeAll(
                    List.of(new Transfer(handle, 0, List.of(ones.fill((byte) 2).asReadOnly()))));
            byte[] seen = new byte[100];
            handle.read(0, MemorySegment.ofArray(seen), 0, 100);
            assertThat(seen).containsOnly(2);
        }
    }

    @Test
    void shouldSayWhyOneOfManyRangesCannotBeReached() throws Exception {
        try (BrickClient client = connect();
                BrickClient other = fabric().connect(ID, OTHER)) {
            client.alloc(block(1), block(2), block(3));
            BlockHandle witness = zeroed(other, block(2));
            BlockHandle alive = zeroed(client, block(1));
            BlockHandle unmapped = zeroed(client, block(2));
            BlockHandle freed = zeroed(client, block(3));
            MemorySegment ones = TransferMemory.allocate(5000).fill((byte) 1);
            client.unmap(unmapped);
            other.free(block(3));
            for (BlockHandle dead : List.of(unmapped, freed)) {
                List<Transfer> all = List.of(
                        new Transfer(alive, 0, List.of(ones, ones)), new Transfer(dead, 0, List.of(ones, ones)));
                refused(Reason.DEAD_HANDLE, () -> client.writeAll(all));
                refused(Reason.DEAD_HANDLE, () -> client.readAll(all));
            }
            assertZero(witness);
            assertThat(alive.alive()).isTrue();
            client.writeAll(List.of(new Transfer(alive, 0, List.of(ones, ones))));
            other.fence(SESSION);
            List<Transfer> late = List.of(new Transfer(alive, 0, List.of(ones)));
            refused(Reason.DEAD_HANDLE, () -> client.writeAll(late));
            refused(Reason.DEAD_HANDLE, () -> client.readAll(late));
        }
    }

    /** By many rows at a time; what they write afterwards must not land. */
    @Test
    void shouldLandNothingOfManyRangesAfterFenceReturns() throws Exception {
        try (BrickClient judge = connect();
                ExecutorService writers = Executors.newFixedThreadPool(2)) {
            judge.alloc(block(1), block(2));
            List<BlockHandle> witnesses = List.of(zeroed(judge, block(1)), zeroed(judge, block(2)));
            for (int round = 0; round < 10; round++) {
                SessionId victim = new SessionId(1000 + round);
                try (BrickClient client = fabric().connect(ID, victim)) {
                    CountDownLatch running = new CountDownLatch(2);
                    List<Future<Reason>> outcomes = new ArrayList<>();
                    for (int w = 0; w < 2; w++) {
                        List<BlockHandle> handles =
                                handles(client.mapAll(Access.READ_WRITE, 2, List.of(block(1), block(2))));
                        outcomes.add(writers.submit(writeAllUntilRefused(client, handles, running)));
                    }
                    running.await();
                    judge.fence(victim);
                    MemorySegment zeros = MemorySegment.ofArray(new byte[BlockId.BLOCK_BYTES]);
                    for (BlockHandle witness : witnesses) {
                        witness.write(0, zeros, 0, zeros.byteSize());
                    }
                    for (Future<Reason> outcome : outcomes) {
                        assertThat(outcome.get()).isEqualTo(Reason.DEAD_HANDLE);
                    }
                    for (BlockHandle witness : witnesses) {
                        assertZero(witness);
                    }
                }
            }
        }
    }

    private static Callable<Reason> writeAllUntilRefused(
            BrickClient client, List<BlockHandle> handles, CountDownLatch running) {
        return () -> {
            MemorySegment ones = TransferMemory.allocate(16 << 10).fill((byte) 1);
            List<Transfer> all = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                all.add(new Transfer(handles.get(i % handles.size()), i * 64L << 10, List.of(ones, ones, ones)));
            }
            try {
                while (true) {
                    client.writeAll(all);
                    running.countDown();
                }
            } catch (BrickException e) {
                return e.reason();
            }
        };
    }
}
