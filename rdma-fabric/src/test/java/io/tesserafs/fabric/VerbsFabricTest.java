package io.tesserafs.fabric;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.FlushRange;
import io.tesserafs.fabric.brick.Provider;
import io.tesserafs.fabric.brick.Transfer;
import io.tesserafs.fabric.brick.TransferMemory;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.verbs.KeyPolicy;
import io.tesserafs.fabric.verbs.Revocation;
import io.tesserafs.fabric.verbs.VerbsNode;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A brick of another daemon, by RDMA, over the two devices of this host. */
@Tag("rdma")
@Timeout(180)
class VerbsFabricTest extends BatchContract {
    private static final PeerId TARGET = new PeerId(1, 1);

    private VerbsNode target;
    VerbsNode initiator;
    RoutingFabric fabric;

    /** What soft-RoCE suits best. */
    Revocation revocation() {
        return Revocation.MEMORY_WINDOW;
    }

    @BeforeEach
    void startBrick() throws Exception {
        target = VerbsNode.at("10.77.0.1", TARGET, KeyPolicy.of(revocation()));
        target.tcp().export(brick);
        assertThat(target.verbs().export(brick)).isTrue();
        String endpoint = target.transport().start();
        initiator = VerbsNode.at("10.77.0.2", new PeerId(2, 2));
        fabric = initiator.fabric(wanted -> {
            if (!wanted.equals(ID)) {
                throw new BrickException(Reason.UNREACHABLE, "no brick " + wanted);
            }
            return new BrickResolver.Location(TARGET.node(), endpoint);
        });
    }

    @AfterEach
    void stopBrick() throws Exception {
        assertThat(initiator.verbs().traffic().clientsGivenUp())
                .as("clients whose bytes went another way")
                .isZero();
        initiator.close();
        target.close();
    }

    @Override
    Fabric fabric() {
        return fabric;
    }

    @Override
    Provider provider() {
        return Provider.VERBS;
    }

    @Test
    void shouldMoveWholeBlocksOfAllKindsOfMemory() throws Exception {
        long readBefore = initiator.verbs().traffic().bytesRead();
        long writtenBefore = initiator.verbs().traffic().bytesWritten();
        try (BrickClient client = fabric.connect(ID, SESSION);
                BrickClient local = brick.connect(OTHER);
                Arena arena = Arena.ofConfined()) {
            client.alloc(block(1));
            BlockHandle handle = client.map(block(1), Access.READ_WRITE);
            BlockHandle witness = local.map(block(1), Access.READ);
            byte[] bytes = new byte[BlockId.BLOCK_BYTES];
            new Random(3).nextBytes(bytes);
            MemorySegment heap = MemorySegment.ofArray(bytes);
            MemorySegment direct = arena.allocate(bytes.length);
            handle.write(0, heap, 0, bytes.length);
            handle.flush(0, bytes.length);
            assertThat(witness.memory().mismatch(heap)).isEqualTo(-1);
            handle.read(0, direct, 0, bytes.length);
            assertThat(direct.mismatch(heap)).isEqualTo(-1);
            direct.fill((byte) 9);
            handle.write(12345, direct, 1, 77_777);
            assertThat(witness.memory().asSlice(12345, 77_777).mismatch(direct.asSlice(0, 77_777)))
                    .isEqualTo(-1);
            assertThat(witness.memory().asSlice(0, 12345).mismatch(heap.asSlice(0, 12345)))
                    .isEqualTo(-1);
        }
        assertThat(initiator.verbs().traffic().bytesRead() - readBefore).isEqualTo(BlockId.BLOCK_BYTES);
        assertThat(initiator.verbs().traffic().bytesWritten() - writtenBefore).isEqualTo(BlockId.BLOCK_BYTES + 77_777);
    }

    /** Which the device takes as it is. */
    @Test
    void shouldMoveBytesOfTransferMemory() throws Exception {
        try (BrickClient client = fabric.connect(ID, SESSION);
                BrickClient local = brick.connect(OTHER)) {
            client.alloc(block(1));
            BlockHandle handle = client.map(block(1), Access.READ_WRITE);
            MemorySegment witness =
                    Objects.requireNonNull(local.map(block(1), Access.READ).memory());
            MemorySegment from = TransferMemory.allocate(BlockId.BLOCK_BYTES);
            MemorySegment to = TransferMemory.allocate(BlockId.BLOCK_BYTES);
            Random random = new Random(4);
            for (int bytes : new int[] {1, 63, 64, 65, 4096, 100_001, BlockId.BLOCK_BYTES}) {
                byte[] content = new byte[bytes];
                random.nextBytes(content);
                int at = random.nextInt(BlockId.BLOCK_BYTES - bytes + 1);
                int within = random.nextInt(BlockId.BLOCK_BYTES - bytes + 1);
                from.asSlice(within, bytes).copyFrom(MemorySegment.ofArray(content));
                handle.write(at, from, within, bytes);
                handle.flush(at, bytes);
                assertThat(witness.asSlice(at, bytes).toArray(JAVA_BYTE)).isEqualTo(content);
                to.fill((byte) 0);
                handle.read(at, to, within, bytes);
                assertThat(to.asSlice(within, bytes).toArray(JAVA_BYTE)).isEqualTo(content);
                to.asSlice(within, bytes).fill((byte) 0);
                assertThat(to.mismatch(MemorySegment.ofArray(new byte[BlockId.BLOCK_BYTES])))
                        .as("first byte beside the range that changed")
                        .isEqualTo(-1);
            }
        }
    }

    private static List<MemorySegment> slices(MemorySegment memory, int count) {
        long bytes = memory.byteSize();
        return IntStream.range(0, count)
                .mapToObj(i -> memory.asSlice(i * bytes / count, (i + 1) * bytes / count - i * bytes / count))
                .toList();
    }

    /** A transfer of more pieces than any request has; and as its queue pair is connected already, all go together. */
    @Test
    void shouldMoveBytesOfManyPieces() throws Exception {
        try (BrickClient client = fabric.connect(ID, SESSION);
                BrickClient local = brick.connect(OTHER)) {
            client.alloc(block(1), block(2));
            client.map(block(1), Access.READ_WRITE).write(0, MemorySegment.ofArray(new byte[1]), 0, 1);
            long readBefore = initiator.verbs().traffic().bytesRead();
            long writtenBefore = initiator.verbs().traffic().bytesWritten();
            MemorySegment from = TransferMemory.allocate(BlockId.BLOCK_BYTES);
            MemorySegment to = TransferMemory.allocate(BlockId.BLOCK_BYTES);
            byte[] content = new byte[BlockId.BLOCK_BYTES];
            new Random(7).nextBytes(content);
            from.copyFrom(MemorySegment.ofArray(content));
            for (int pieces : new int[] {1, 16, 17, 32, 1024}) {
                for (BlockId id : List.of(block(1), block(2))) { // without a key yet
                    BlockHandle handle = client.map(id, Access.READ_WRITE);
                    MemorySegment witness = Objects.requireNonNull(
                            local.map(id, Access.READ_WRITE).memory());
                    witness.fill((byte) 0);
                    client.writeAll(List.of(new Transfer(handle, 0, slices(from, pieces))));
                    assertThat(witness.mismatch(from)).isEqualTo(-1);
                    client.flushAll(List.of(new FlushRange(handle, 0, BlockId.BLOCK_BYTES)));
                    client.readAll(List.of(new Transfer(handle, 0, slices(to.fill((byte) 0), pieces))));
                    assertThat(to.mismatch(from)).isEqualTo(-1);
                }
            }
            assertThat(initiator.verbs().traffic().bytesRead() - readBefore).isEqualTo(10L * BlockId.BLOCK_BYTES);
            assertThat(initiator.verbs().traffic().bytesWritten() - writtenBefore)
                    .isEqualTo(10L * BlockId.BLOCK_BYTES);
        }
    }

    /** Its key is dead, which this host may not have heard of: then the row fails, and with it the queue pair. */
    @Test
    void shouldMoveTheOthersOfABatchWhenOneHandleDied() throws Exception {
        try (BrickClient client = fabric.connect(ID, SESSION);
                BrickClient other = fabric.connect(ID, OTHER);
                BrickClient local = brick.connect(OTHER)) {
            client.alloc(block(1), block(3));
            MemorySegment ones = TransferMemory.allocate(100_000).fill((byte) 1);
            for (int round = 0; round < 10; round++) {
                client.alloc(block(2));
                List<BlockHandle> handles = new ArrayList<>();
                for (int i = 1; i <= 3; i++) {
                    Objects.requireNonNull(
                                    local.map(block(i), Access.READ_WRITE).memory())
                            .fill((byte) 0);
                    handles.add(client.map(block(i), Access.READ_WRITE));
                }
                List<Transfer> all = handles.stream()
                        .map(handle -> new Transfer(handle, 4096, slices(ones, 20)))
                        .toList();
                client.readAll(all);
                ones.fill((byte) 1);
                other.free(block(2));
                other.alloc(block(4)); // where the other was
                MemorySegment reused = Objects.requireNonNull(
                        local.map(block(4), Access.READ_WRITE).memory());
                reused.fill((byte) 0);
                refused(Reason.DEAD_HANDLE, () -> client.writeAll(all));
                for (int i : new int[] {1, 3}) {
                    MemorySegment memory = Objects.requireNonNull(
                            local.map(block(i), Access.READ).memory());
                    assertThat(memory.asSlice(4096, 100_000).mismatch(ones)).isEqualTo(-1);
                    assertThat(memory.get(JAVA_BYTE, 4095)).isZero();
                    assertThat(memory.get(JAVA_BYTE, 104_096)).isZero();
                }
                assertThat(reused.mismatch(MemorySegment.ofArray(new byte[BlockId.BLOCK_BYTES])))
                        .isEqualTo(-1);
                refused(Reason.DEAD_HANDLE, () -> client.readAll(all));
                client.unmapAll(handles);
                other.free(block(4));
            }
        }
    }

    @Test
    void shouldGoOnWithOtherHandlesWhenOneDied() throws Exception {
        try (BrickClient client = fabric.connect(ID, SESSION);
                BrickClient other = fabric.connect(ID, OTHER);
                Arena arena = Arena.ofConfined()) {
            client.alloc(block(1), block(2));
            BlockHandle dies = client.map(block(1), Access.READ_WRITE);
            BlockHandle lives = client.map(block(2), Access.READ_WRITE);
            MemorySegment buffer = arena.allocate(4096).fill((byte) 5);
            dies.write(0, buffer, 0, 4096);
            lives.write(0, buffer, 0, 4096);
            other.free(block(1));
            refused(Reason.DEAD_HANDLE, () -> dies.write(0, buffer, 0, 4096));
            lives.write(4096, buffer, 0, 4096);
            MemorySegment seen = arena.allocate(8192);
            lives.read(0, seen, 0, 8192);
            assertThat(seen.asSlice(4096).mismatch(buffer)).isEqualTo(-1);
        }
    }

    @Test
    void shouldEndHandlesWithTheConnection() throws Exception {
        BrickClient client = fabric.connect(ID, SESSION);
        client.alloc(block(1));
        BlockHandle handle = client.map(block(1), Access.READ_WRITE);
        handle.write(0, MemorySegment.ofArray(new byte[8]), 0, 8);
        initiator.transport().close();
        refused(Reason.UNREACHABLE, () -> handle.read(0, MemorySegment.ofArray(new byte[8]), 0, 8));
        client.close();
    }
}
