package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.FlushRange;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.brick.Transfer;
import io.tesserafs.fabric.brick.TransferMemory;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.peer.Service;
import io.tesserafs.fabric.pmem.Pool;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Times one-sided operations and calls between the two devices of this host, to be held against perftest and rping there. Prints; checks
 * nothing.
 */
final class VerbsNumbers {
    private static final BrickId ID = new BrickId(7);
    private static final int WARM_UP = 4000;
    private static final int SMALL_OPERATIONS = 4000;
    private static final int LARGE_BYTES = 64 << 10;
    private static final int LARGE_OPERATIONS = 1500;
    private static final int BLOCK_OPERATIONS = 100;
    private static final int FLUSHES = 16;
    private static final int FLUSH_OPERATIONS = 1000;
    private static final int BATCH = 16;
    private static final int SMALL_BATCHES = 1000;
    private static final int LARGE_BATCHES = 80;
    private static final int ECHO = 101;
    private static final int CALL_BYTES = 64;
    private static final long PLENTY_MS = 60_000;

    private VerbsNumbers() {}

    private interface Operation {
        void run(int i) throws IOException;
    }

    public static void main(String... arguments) throws Exception {
        Path directory = Files.createTempDirectory("numbers");
        Path path = directory.resolve("pool");
        Pool.create(path, Pool.MIN_BYTES, "test", ID.value());
        try (LocalBrick brick = LocalBrick.open(Pool.open(path));
                VerbsNode target = VerbsNode.at("10.77.0.1", new PeerId(1, 1));
                VerbsNode initiator = VerbsNode.at("10.77.0.2", new PeerId(2, 2));
                VerbsNode withoutCalls = VerbsNode.at("10.77.0.2", new PeerId(3, 3), false)) {
            target.tcp().export(brick);
            target.verbs().export(brick);
            target.transport().serve(ECHO, new Echo());
            String endpoint = target.transport().start();
            Connection connection = initiator.connections().get(endpoint);
            Connection socket = withoutCalls.connections().get(endpoint);
            measure(connection);
            measure(socket);
            BlockId block = BlockId.of(1, 1);
            try (BrickClient rdma = initiator.verbs().connect(connection, ID, new SessionId(1));
                    BrickClient tcp = withoutCalls.tcp().connect(socket, ID, new SessionId(2))) {
                rdma.alloc(block);
                measure("verbs", rdma.map(block, Access.READ_WRITE));
                measure("tcp", tcp.map(block, Access.READ_WRITE));
                measureFlushes("verbs", rdma, rdma.map(block, Access.READ_WRITE));
                measureFlushes("tcp", tcp, tcp.map(block, Access.READ_WRITE));
                measureBatches("verbs", rdma, rdma.map(block, Access.READ_WRITE));
                measureBatches("tcp", tcp, tcp.map(block, Access.READ_WRITE));
            }
        }
    }

    private static final class Echo implements Service {
        @Override
        public ByteBuffer call(Connection from, ByteBuffer request) {
            return ByteBuffer.allocate(request.remaining()).put(request).flip();
        }

        @Override
        public void notified(Connection from, ByteBuffer message) {
            throw new IllegalStateException("no notification is due");
        }
    }

    private static void measure(Connection connection) throws IOException {
        ByteBuffer small = ByteBuffer.allocate(CALL_BYTES);
        run(WARM_UP, i -> connection.call(ECHO, small, PLENTY_MS));
        long smallNs = run(SMALL_OPERATIONS, i -> connection.call(ECHO, small, PLENTY_MS));
        ByteBuffer large = ByteBuffer.allocate(LARGE_BYTES);
        run(LARGE_OPERATIONS / 4, i -> connection.call(ECHO, large, PLENTY_MS));
        long largeNs = run(LARGE_OPERATIONS, i -> connection.call(ECHO, large, PLENTY_MS));
        System.out.printf(
                "%s: call of %d bytes %.1f us, of 64 KiB %.1f us%n",
                connection.network(), CALL_BYTES, smallNs / 1e3, largeNs / 1e3);
    }

    private static void measure(String provider, BlockHandle handle) throws IOException {
        MemorySegment buffer = TransferMemory.allocate(LARGE_BYTES); // without a copy
        run(WARM_UP, i -> handle.write(0, buffer, 0, 2));
        long writeNs = run(SMALL_OPERATIONS, i -> handle.write(0, buffer, 0, 2));
        run(WARM_UP, i -> handle.read(0, buffer, 0, 2));
        long readNs = run(SMALL_OPERATIONS, i -> handle.read(0, buffer, 0, 2));
        long largeWriteNs = large(i -> handle.write((i % 16) * (long) LARGE_BYTES, buffer, 0, LARGE_BYTES));
        long largeReadNs = large(i -> handle.read((i % 16) * (long) LARGE_BYTES, buffer, 0, LARGE_BYTES));
        System.out.printf(
                "%s: of 2 bytes: write %.1f us, read %.1f us; of 64 KiB: writes %.1f MB/s, reads %.1f MB/s%n",
                provider,
                writeNs / 1e3,
                readNs / 1e3,
                LARGE_BYTES * 1e3 / largeWriteNs,
                LARGE_BYTES * 1e3 / largeReadNs);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment block = arena.allocate(BlockId.BLOCK_BYTES, 4096); // which the device does not know
            long blockWriteNs = blocks(i -> handle.write(0, block, 0, BlockId.BLOCK_BYTES));
            long blockReadNs = blocks(i -> handle.read(0, block, 0, BlockId.BLOCK_BYTES));
            System.out.printf(
                    "%s: of 2 MiB, copied: writes %.1f MB/s, reads %.1f MB/s%n",
                    provider, BlockId.BLOCK_BYTES * 1e3 / blockWriteNs, BlockId.BLOCK_BYTES * 1e3 / blockReadNs);
        }
    }

    private static void measureBatches(String provider, BrickClient client, BlockHandle handle) throws IOException {
        for (int bytes : new int[] {4096, LARGE_BYTES}) {
            MemorySegment buffer = TransferMemory.allocate((long) BATCH * bytes);
            List<Transfer> all = new ArrayList<>();
            for (int i = 0; i < BATCH; i++) {
                long at = (long) i * bytes;
                all.add(new Transfer(handle, at, List.of(buffer.asSlice(at, bytes))));
            }
            Operation reads = i -> client.readAll(all);
            Operation writes = i -> client.writeAll(all);
            int times = bytes < LARGE_BYTES ? SMALL_BATCHES : LARGE_BATCHES;
            compare(provider, BATCH + " reads of " + bytes + " bytes", times, singly(all, Transfer::read), reads);
            compare(provider, BATCH + " writes of " + bytes + " bytes", times, singly(all, Transfer::write), writes);
        }
        MemorySegment zeros = TransferMemory.allocate(LARGE_BYTES).fill((byte) 0);
        List<MemorySegment> parts = Collections.nCopies(BlockId.BLOCK_BYTES / LARGE_BYTES, zeros);
        Transfer block = new Transfer(handle, 0, parts);
        List<Transfer> gathered = List.of(block);
        compare(provider, "2 MiB of zeros", LARGE_BATCHES, i -> block.write(), i -> client.writeAll(gathered));
    }

    private interface Single {
        void run(Transfer transfer) throws IOException;
    }

    private static Operation singly(List<Transfer> all, Single single) {
        return i -> {
            for (Transfer transfer : all) {
                single.run(transfer);
            }
        };
    }

    /** By turns, as what else the machine does changes from minute to minute. */
    private static void compare(String provider, String what, int times, Operation singly, Operation atOnce)
            throws IOException {
        run(times, singly);
        run(times, atOnce);
        long singlyNs = 0;
        long togetherNs = 0;
        for (int turn = 0; turn < 4; turn++) {
            singlyNs += run(times / 4, singly) / 4;
            togetherNs += run(times / 4, atOnce) / 4;
        }
        System.out.printf(
                "%s: %s: one by one %.1f us, at once %.1f us, ratio %.2f%n",
                provider, what, singlyNs / 1e3, togetherNs / 1e3, (double) togetherNs / singlyNs);
    }

    private static void measureFlushes(String provider, BrickClient client, BlockHandle handle) throws IOException {
        List<FlushRange> ranges = new ArrayList<>();
        for (int i = 0; i < FLUSHES; i++) {
            ranges.add(new FlushRange(handle, i * 4096L, 4096));
        }
        MemorySegment buffer = TransferMemory.allocate(LARGE_BYTES);
        handle.write(0, buffer, 0, LARGE_BYTES);
        Operation singly = i -> {
            for (FlushRange range : ranges) {
                range.flush();
            }
        };
        Operation atOnce = i -> client.flushAll(ranges);
        run(FLUSH_OPERATIONS, singly);
        long singlyNs = run(FLUSH_OPERATIONS, singly);
        run(FLUSH_OPERATIONS, atOnce);
        long togetherNs = run(FLUSH_OPERATIONS, atOnce);
        System.out.printf(
                "%s: flush of %d ranges: one by one %.1f us, at once %.1f us%n",
                provider, FLUSHES, singlyNs / 1e3, togetherNs / 1e3);
    }

    private static long large(Operation operation) throws IOException {
        run(LARGE_OPERATIONS / 4, operation);
        return run(LARGE_OPERATIONS, operation);
    }

    private static long blocks(Operation operation) throws IOException {
        run(BLOCK_OPERATIONS / 4, operation);
        return run(BLOCK_OPERATIONS, operation);
    }

    /** Nanoseconds of one. */
    private static long run(int times, Operation operation) throws IOException {
        long began = System.nanoTime();
        for (int i = 0; i < times; i++) {
            operation.run(i);
        }
        return (System.nanoTime() - began) / times;
    }
}
