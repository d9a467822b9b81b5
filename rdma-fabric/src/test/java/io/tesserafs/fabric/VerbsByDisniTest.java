package io.tesserafs.fabric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.Provider;
import io.tesserafs.fabric.brick.TransferMemory;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.verbs.SeparateClasses;
import io.tesserafs.fabric.verbs.VerbsNode;
import java.io.File;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The same with DiSNI's own library at the initiator; skipped where that is not installed. */
@Tag("rdma")
@Timeout(180)
class VerbsByDisniTest extends BatchContract {
    private static final PeerId TARGET = new PeerId(1, 1);

    /** Loaded once, as a library is loaded by the classes of one loader. */
    private static SeparateClasses classes;

    private VerbsNode target;
    private Initiator initiator;
    private Fabric fabric;

    @BeforeAll
    static void needsTheLibrary() throws Exception {
        String path = System.getProperty("java.library.path");
        assumeTrue(
                Arrays.stream(path.split(File.pathSeparator, -1))
                        .anyMatch(directory -> Files.exists(Path.of(directory, "libdisni.so"))),
                "there is no libdisni.so in " + path);
        classes = SeparateClasses.open();
    }

    @BeforeEach
    void startBrick() throws Exception {
        target = VerbsNode.at("10.77.0.1", TARGET);
        target.tcp().export(brick);
        assertThat(target.verbs().export(brick)).isTrue();
        String endpoint = target.transport().start();
        initiator = (Initiator) classes.loadClass(VerbsNode.class.getName())
                .getMethod("byDisni", String.class, PeerId.class)
                .invoke(null, "10.77.0.2", new PeerId(2, 2));
        fabric = initiator.fabric(wanted -> {
            if (!wanted.equals(ID)) {
                throw new BrickException(Reason.UNREACHABLE, "no brick " + wanted);
            }
            return new BrickResolver.Location(TARGET.node(), endpoint);
        });
    }

    @AfterEach
    void stopBrick() {
        try {
            if (initiator != null) { // or it did not get that far
                long givenUp = initiator.clientsGivenUp();
                initiator.close();
                assertThat(givenUp).as("clients whose bytes went another way").isZero();
            }
        } finally {
            target.close();
        }
    }

    @Test
    void shouldMoveBytesByRdma() throws Exception {
        try (BrickClient client = fabric.connect(ID, SESSION)) {
            client.alloc(block(1));
            BlockHandle handle = client.map(block(1), Access.READ_WRITE);
            MemorySegment bytes = TransferMemory.allocate(BlockId.BLOCK_BYTES).fill((byte) 5);
            handle.write(0, bytes, 0, BlockId.BLOCK_BYTES);
            handle.flush(0, BlockId.BLOCK_BYTES);
            assertThat(initiator.bytesMoved()).isEqualTo(BlockId.BLOCK_BYTES);
            MemorySegment heap = MemorySegment.ofArray(new byte[BlockId.BLOCK_BYTES]);
            handle.read(0, heap, 0, BlockId.BLOCK_BYTES);
            assertThat(heap.mismatch(bytes)).isEqualTo(-1);
            assertThat(initiator.bytesMoved()).isEqualTo(2 * BlockId.BLOCK_BYTES);
        }
    }

    @Override
    Fabric fabric() {
        return fabric;
    }

    @Override
    Provider provider() {
        return Provider.VERBS;
    }
}
