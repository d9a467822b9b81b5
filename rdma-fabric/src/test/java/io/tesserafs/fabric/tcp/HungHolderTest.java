package io.tesserafs.fabric.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.fabric.shm.HostProcess;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** A process of this host that has a block mapped and does not answer: nobody else gets the block before it is dead. */
@Timeout(60)
class HungHolderTest {
    private static final PeerId HUNG = new PeerId(9, 9);
    private static final SessionId OWNER = new SessionId(1);
    private static final SessionId VICTIM = new SessionId(2);
    private static final BlockId BLOCK = BlockId.of(1, 1);
    private static final long SHORT_WAIT_MS = 50;

    @TempDir
    Path directory;

    private LocalBrick brick;
    private BrickClient owner;
    private TcpTransport transport;
    private TcpBricks bricks;
    private RawPeer hung;
    private Process process;
    private HandleKey key;
    private int client;

    @BeforeEach
    void start() throws Exception {
        Path path = directory.resolve("pool");
        Pool.create(path, Pool.MIN_BYTES, "test", 7);
        brick = LocalBrick.open(Pool.open(path));
        owner = brick.connect(OWNER);
        owner.alloc(BLOCK);
        transport = new TcpTransport(TcpTransportTest.config(new PeerId(1, 1)));
        bricks = new TcpBricks(transport, true, SHORT_WAIT_MS);
        bricks.export(brick);
        String endpoint = transport.start();
        process = new ProcessBuilder("sleep", "1000").start();
        hung = RawPeer.connect(endpoint);
        hung.shakeHands(HUNG);
        client = BrickAnswers.takeAnswer(call(1, new BrickRequest.Open(new BrickId(7), VICTIM)));
        ByteBuffer attached = call(2, new BrickRequest.Attach(client, HostProcess.of(process.pid())));
        BrickAnswers.takeAnswer(attached);
        assertThat(BrickAnswers.takeAttached(attached)).isEqualTo(brick.pool().fileIdentity());
        ByteBuffer mapped = call(3, new BrickRequest.MapShared(client, Access.READ_WRITE, List.of(BLOCK)));
        assertThat(BrickAnswers.takeAnswer(mapped)).isEqualTo(1);
        key = ((MapAnswers.Made) MapAnswers.take(1, 1, mapped).getFirst()).key();
    }

    private ByteBuffer call(long id, BrickRequest request) throws Exception {
        return hung.call(TcpBricks.SERVICE, id, BrickCodec.encode(request));
    }

    @AfterEach
    void stop() throws Exception {
        process.destroyForcibly().waitFor();
        hung.close();
        transport.close();
        bricks.close();
        brick.close();
    }

    private static void refused(Reason reason, Executable call) {
        assertThat(assertThrows(BrickException.class, call).reason()).isEqualTo(reason);
    }

    @Test
    void shouldNotFenceForSureBeforeTheProcessIsDead() throws Exception {
        refused(Reason.STILL_MAPPED, () -> owner.fence(VICTIM));
        refused(Reason.STILL_MAPPED, () -> owner.fence(VICTIM));
        refused(Reason.FENCED, () -> brick.connect(VICTIM));
        process.destroyForcibly().waitFor();
        owner.fence(VICTIM);
    }

    @Test
    void shouldKeepTheBlockUntilTheProcessIsDead() throws Exception {
        BlockId other = BlockId.of(1, 2);
        owner.alloc(other);
        refused(Reason.STILL_MAPPED, () -> owner.free(BLOCK, other));
        assertThat(owner.list(BlockId.of(1, 0), 10)).containsExactly(BLOCK.value());
        hung.close();
        refused(Reason.STILL_MAPPED, () -> owner.free(BLOCK));
        process.destroyForcibly().waitFor();
        owner.free(BLOCK);
        assertThat(owner.list(BlockId.of(1, 0), 10)).isEmpty();
    }

    @Test
    void shouldTakeTheHoldersWord() throws Exception {
        refused(Reason.STILL_MAPPED, () -> owner.fence(VICTIM));
        ByteBuffer word = new HandleNotice(HandleNotice.Kind.LET_GO, List.of(key)).encode();
        hung.writer.write(FrameType.NOTIFICATION, TcpBricks.SERVICE, 0, 0, word);
        while (true) {
            try {
                owner.fence(VICTIM);
                return;
            } catch (BrickException e) {
                assertThat(e.reason()).isEqualTo(Reason.STILL_MAPPED);
            }
        }
    }

    @Test
    void shouldTakeAnUnmapThatWasOnItsWayForTheHoldersWord() throws Exception {
        refused(Reason.STILL_MAPPED, () -> owner.fence(VICTIM));
        BrickAnswers.takeAnswer(call(4, new BrickRequest.Unmap(client, List.of(key))));
        owner.fence(VICTIM);
        owner.free(BLOCK);
        assertThat(owner.list(BlockId.of(1, 0), 10)).isEmpty();
    }

    @Test
    void shouldTakeTheEndOfItsClientForTheHoldersWord() throws Exception {
        refused(Reason.STILL_MAPPED, () -> owner.fence(VICTIM));
        BrickAnswers.takeAnswer(call(4, new BrickRequest.Close(client)));
        owner.fence(VICTIM);
    }

    @Test
    void shouldNotMarkThePoolCleanWhileSomeoneWritesToIt() throws Exception {
        bricks.withdraw(brick);
        brick.close();
        assertThat(Pool.describe(brick.pool().path()).cleanShutdown()).isFalse();
    }

    @Test
    void shouldLetNobodyAttachWhoseDeathItCouldNotSee() throws Exception {
        HostProcess own = HostProcess.current();
        HostProcess elsewhere = new HostProcess(own.boot(), own.pidNamespace() + 1, own.pid(), own.startTicks());
        ByteBuffer answer = call(10, new BrickRequest.Attach(1, elsewhere));
        refused(Reason.ACCESS, () -> BrickAnswers.takeAnswer(answer));
        HostProcess later = new HostProcess(own.boot(), own.pidNamespace(), own.pid(), own.startTicks() + 1);
        ByteBuffer another = call(11, new BrickRequest.Attach(1, later));
        refused(Reason.ACCESS, () -> BrickAnswers.takeAnswer(another));
    }
}
