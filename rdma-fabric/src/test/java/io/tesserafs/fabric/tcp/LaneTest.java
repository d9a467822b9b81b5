package io.tesserafs.fabric.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.pmem.Pool;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The initiator's side of lanes, against a target that takes requests and never answers. */
@Timeout(60)
class LaneTest {
    private static final BlockId BLOCK = BlockId.of(1, 1);

    @TempDir
    Path directory;

    private final Semaphore requests = new Semaphore(0);
    private LocalBrick brick;
    private TcpTransport target;
    private TcpBricks targetBricks;
    private TcpTransport initiator;
    private TcpBricks initiatorBricks;
    private Connection connection;
    private BlockHandle handle;

    @BeforeEach
    void start() throws Exception {
        Path path = directory.resolve("pool");
        Pool.create(path, Pool.MIN_BYTES, "test", 7);
        brick = LocalBrick.open(Pool.open(path));
        target = new TcpTransport(TcpTransportTest.config(new PeerId(1, 1)));
        targetBricks = new TcpBricks(target);
        targetBricks.export(brick);
        target.serveLanes((owner, wire) -> {
            ByteBuffer bytes = ByteBuffer.allocate(LaneLayout.REQUEST_BYTES);
            wire.readFully(bytes);
            requests.release();
            wire.readFully(bytes.clear());
        });
        initiator = new TcpTransport(TcpTransportTest.config(new PeerId(2, 2)));
        initiatorBricks = TcpBricks.withoutSharedMemory(initiator);
        connection = initiator.connect(target.start());
        BrickClient client = initiatorBricks.connect(connection, new BrickId(7), new SessionId(5));
        client.alloc(BLOCK);
        handle = client.map(BLOCK, Access.READ_WRITE);
    }

    @AfterEach
    void stop() throws Exception {
        initiator.close();
        initiatorBricks.close();
        target.close();
        targetBricks.close();
        brick.close();
    }

    private Reason read() {
        MemorySegment buffer = MemorySegment.ofArray(new byte[16]);
        return assertThrows(BrickException.class, () -> handle.read(0, buffer, 0, 16))
                .reason();
    }

    @Test
    void shouldFailOperationsUnderWayAndThoseThatWaitForALaneWhenTheConnectionEnds() throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Reason>> all = new ArrayList<>();
            for (int i = 0; i < 2 * LanePool.MAX_LANES; i++) {
                all.add(threads.submit(this::read));
            }
            requests.acquire(LanePool.MAX_LANES);
            connection.close();
            for (Future<Reason> one : all) {
                assertThat(one.get()).isEqualTo(Reason.UNREACHABLE);
            }
        }
        assertThat(requests.availablePermits()).isZero();
        while (handle.alive()) {
            Thread.onSpinWait();
        }
        assertThat(read()).isEqualTo(Reason.UNREACHABLE);
    }

    @Test
    void shouldLoseOnlyTheLaneOfAnInterruptedThread() throws Exception {
        CountDownLatch interrupted = new CountDownLatch(1);
        Thread reader = Thread.ofPlatform().start(() -> {
            if (read() == Reason.UNREACHABLE && Thread.interrupted()) {
                interrupted.countDown();
            }
        });
        requests.acquire();
        reader.interrupt();
        interrupted.await();
        reader.join();
        assertThat(connection.isOpen()).isTrue();
        assertThat(handle.alive()).isTrue();
    }

    @Test
    void shouldKillTheHandleWhenAWriteBreaksOff() throws Exception {
        List<BlockHandle> killed = new CopyOnWriteArrayList<>();
        brick.addKillListener(handles -> {
            killed.addAll(handles);
            return List.of();
        });
        Thread writer = Thread.ofPlatform().start(() -> {
            MemorySegment buffer = MemorySegment.ofArray(new byte[16]);
            assertThat(assertThrows(BrickException.class, () -> handle.write(0, buffer, 0, 16))
                            .reason())
                    .isEqualTo(Reason.UNREACHABLE);
        });
        requests.acquire();
        writer.interrupt();
        writer.join();
        assertThat(connection.isOpen()).isTrue();
        assertThat(handle.alive()).isFalse();
        assertThat(killed).as("unmapped by who gave up the write").hasSize(1);
        initiatorBricks.connect(connection, new BrickId(7), new SessionId(5)).free(BLOCK);
        assertThat(killed).as("dead before the block was freed").hasSize(1);
    }
}
