package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.pmem.DaxDevices;
import io.tesserafs.fabric.pmem.Pool;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of a flush when a FLUSH cannot do it, or not alone. */
@Tag("rdma")
@Timeout(180)
class FlushAcrossQueuePairsTest {
    private static final BrickId ID = new BrickId(7);
    private static final SessionId SESSION = new SessionId(1);
    private static final BlockId FIRST = BlockId.of(1, 1);
    private static final BlockId SECOND = BlockId.of(1, 2);
    private static final int BYTES = 5000;

    @TempDir
    Path directory;

    private final MemorySegment ones = MemorySegment.ofArray(new byte[BYTES]).fill((byte) 1);
    private final Traffic traffic = new Traffic();
    private LocalBrick brick;
    private VerbsNode target;
    private VerbsNode initiator;
    private BrickClient client;
    private VerbsSession session;

    private static LocalBrick brick(Path path, BrickId id) throws Exception {
        Pool.create(path, Pool.MIN_BYTES, "test", id.value());
        return LocalBrick.open(Pool.open(path));
    }

    @BeforeEach
    void start() throws Exception {
        brick = brick(DaxDevices.wiped(DaxDevices.FIRST), ID);
        target = VerbsNode.at("10.77.0.1", new PeerId(1, 1));
        target.tcp().export(brick);
        assertThat(target.verbs().export(brick)).isTrue();
        initiator = VerbsNode.at("10.77.0.2", new PeerId(2, 2));
        Connection connection = initiator.connections().get(target.transport().start());
        client = initiator.tcp().connect(connection, ID, SESSION);
        client.alloc(FIRST, SECOND);
        session = new VerbsSession(initiator.verbs().device(), connection, SESSION, traffic);
        assumeTrue(session.queuePair().flushByDevice(), "the RDMA device or the libraries do no FLUSH");
    }

    @AfterEach
    void stop() throws Exception {
        session.close();
        client.close();
        initiator.close();
        target.close();
        brick.close();
        assertThat(traffic.clientsGivenUp()).isZero();
    }

    private BlockHandle map(BlockId block) throws BrickException {
        return new VerbsHandle(client.map(block, Access.READ_WRITE), false, session, new Neighbours(session, 1, 0), 0);
    }

    private void writeAndFlush(BlockHandle handle) throws Exception {
        handle.write(0, ones, 0, BYTES);
        handle.flush(0, BYTES);
    }

    private void assertWritten(BlockId block) throws Exception {
        MemorySegment memory = Objects.requireNonNull(
                brick.connect(SESSION).map(block, Access.READ).memory());
        assertThat(memory.asSlice(0, BYTES).mismatch(ones)).isEqualTo(-1);
    }

    @Test
    void shouldCallTheTargetForWhatAnotherQueuePairWrote() throws Exception {
        BlockHandle handle = map(FIRST);
        writeAndFlush(handle);
        assertThat(traffic.flushesByDevice()).isEqualTo(1);
        session.queuePair().fail();
        handle.write(BYTES, ones, 0, 1);
        handle.flush(0, BYTES + 1);
        assertThat(traffic.flushesByDevice()).isEqualTo(1);
        writeAndFlush(handle);
        assertThat(traffic.flushesByDevice()).as("all written again").isEqualTo(2);
        assertWritten(FIRST);
    }

    /** As a brick that only has memory came after the offer, of which there is one for all bricks. */
    @Test
    void shouldCallTheTargetIfItsDeviceRefuses() throws Exception {
        try (LocalBrick other = brick(directory.resolve("pool"), new BrickId(8))) {
            BlockHandle before = map(FIRST);
            writeAndFlush(before);
            assertThat(traffic.flushesByDevice()).isEqualTo(1);
            target.tcp().export(other);
            assertThat(target.verbs().export(other)).isTrue();
            InitiatorQueuePair first = session.queuePair();
            writeAndFlush(map(SECOND));
            assertThat(session.queuePair()).isNotSameAs(first);
            writeAndFlush(before);
            assertThat(traffic.flushesByDevice()).isEqualTo(1);
            assertWritten(SECOND);
            target.close();
        }
    }
}
