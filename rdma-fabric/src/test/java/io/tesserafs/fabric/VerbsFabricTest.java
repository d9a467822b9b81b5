package io.tesserafs.fabric;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.Provider;
import io.tesserafs.fabric.brick.TransferMemory;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.verbs.KeyPolicy;
import io.tesserafs.fabric.verbs.Revocation;
import io.tesserafs.fabric.verbs.VerbsNode;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A brick of another daemon, by RDMA, over the two devices of this host. */
@Tag("rdma")
@Timeout(180)
class VerbsFabricTest extends BrickContract {
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
