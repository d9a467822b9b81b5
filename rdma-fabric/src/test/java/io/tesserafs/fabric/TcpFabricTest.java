package io.tesserafs.fabric;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.Provider;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.ConnectionPool;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.tcp.TcpBricks;
import io.tesserafs.fabric.tcp.TcpConfig;
import io.tesserafs.fabric.tcp.TcpTransport;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A brick of another daemon, by TCP. */
@Timeout(120)
class TcpFabricTest extends BatchContract {
    static final PeerId TARGET = new PeerId(1, 1);
    private static final UUID CLUSTER = new UUID(1, 2);
    private static final byte[] SECRET = "a secret for tests only".getBytes(StandardCharsets.UTF_8);

    Node target;
    Node initiator;
    String endpoint;
    RoutingFabric fabric;

    /** What a daemon has of the fabric. */
    record Node(TcpTransport transport, TcpBricks bricks, ConnectionPool connections) implements AutoCloseable {
        RoutingFabric fabric(BrickResolver resolver) {
            return new RoutingFabric(new LocalFabric(), bricks, connections, resolver);
        }

        @Override
        public void close() {
            transport.close();
            bricks.close();
        }
    }

    /** How an initiator reaches the brick. */
    TcpBricks bricks(TcpTransport transport) {
        return TcpBricks.withoutSharedMemory(transport);
    }

    boolean sharesMemory() {
        return false;
    }

    final Node node(PeerId self) {
        InetSocketAddress loopback = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        TcpTransport transport = new TcpTransport(TcpConfig.of(loopback, self, CLUSTER, SECRET));
        return new Node(transport, bricks(transport), new ConnectionPool(transport));
    }

    @BeforeEach
    void startBrick() throws Exception {
        target = node(TARGET);
        target.bricks.export(brick);
        endpoint = target.transport.start();
        initiator = node(new PeerId(2, 2));
        fabric = initiator.fabric(this::locate);
    }

    final BrickResolver.Location locate(BrickId wanted) throws BrickException {
        if (!wanted.equals(ID)) {
            throw new BrickException(Reason.UNREACHABLE, "no brick " + wanted);
        }
        return new BrickResolver.Location(TARGET.node(), endpoint);
    }

    @Test
    void shouldGivePeersNothingOfVolumesThatAreNotInOrder() throws Exception {
        brick.withhold();
        try (BrickClient client = fabric.connect(ID, BrickContract.SESSION);
                BrickClient own = brick.connect(BrickContract.SESSION)) {
            BlockId first = BlockId.of(1, 1);
            BlockId second = BlockId.of(2, 1);
            client.alloc(first, second);
            BrickContract.refused(Reason.UNREACHABLE, () -> client.map(first, Access.READ));
            own.unmap(own.map(first, Access.READ_WRITE));
            brick.offer(2);
            client.unmap(client.map(second, Access.READ));
            BrickContract.refused(Reason.UNREACHABLE, () -> client.map(first, Access.READ));
            brick.offerAll();
            client.unmap(client.map(first, Access.READ));
        }
    }

    /** Of the initiator to the target. */
    final Connection connection() throws PeerException {
        return initiator.connections.get(endpoint);
    }

    @AfterEach
    void stopBrick() throws Exception {
        initiator.close();
        target.close();
    }

    @Override
    Fabric fabric() {
        return fabric;
    }

    @Override
    Provider provider() {
        return sharesMemory() ? Provider.SHM : Provider.TCP;
    }

    @Test
    void shouldMoveWholeBlocksBetweenAllKindsOfMemory() throws Exception {
        try (BrickClient client = fabric.connect(ID, SESSION);
                Arena confined = Arena.ofConfined();
                Arena shared = Arena.ofShared()) {
            client.alloc(block(1));
            BlockHandle handle = client.map(block(1), Access.READ_WRITE);
            assertThat(handle.memory() != null).isEqualTo(sharesMemory());
            byte[] bytes = new byte[BlockId.BLOCK_BYTES];
            new Random(3).nextBytes(bytes);
            MemorySegment heap = MemorySegment.ofArray(bytes);
            for (MemorySegment kind : new MemorySegment[] {
                confined.allocate(bytes.length),
                shared.allocate(bytes.length),
                MemorySegment.ofArray(new byte[bytes.length]),
                MemorySegment.ofArray(new long[bytes.length / 8])
            }) {
                kind.copyFrom(heap);
                handle.write(0, kind.asReadOnly(), 0, bytes.length);
                kind.fill((byte) 0);
                handle.read(0, kind, 0, bytes.length);
                assertThat(kind.mismatch(heap)).isEqualTo(-1);
            }
        }
    }

    @Test
    void shouldMoveBytesOfManyThreadsAtATime() throws Exception {
        try (BrickClient client = fabric.connect(ID, SESSION);
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
                Arena arena = Arena.ofShared()) {
            client.alloc(block(1));
            BlockHandle handle = client.map(block(1), Access.READ_WRITE);
            List<Future<?>> all = new ArrayList<>();
            int slice = 16 << 10;
            for (int i = 0; i < BlockId.BLOCK_BYTES / slice; i++) {
                int at = i * slice;
                MemorySegment memory = arena.allocate(slice);
                all.add(threads.submit(() -> {
                    for (int round = 0; round < 20; round++) {
                        memory.fill((byte) (at / slice + round));
                        handle.write(at, memory, 0, slice);
                        memory.fill((byte) 0);
                        handle.read(at + slice - 1, memory, 0, 1);
                        assertThat(memory.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) (at / slice + round));
                    }
                    return null;
                }));
            }
            for (Future<?> one : all) {
                one.get();
            }
        }
    }

    @Test
    void shouldLoseHandlesWithTheConnectionAndConnectAgain() throws Exception {
        BrickClient client = fabric.connect(ID, SESSION);
        client.alloc(block(1));
        BlockHandle handle = client.map(block(1), Access.READ_WRITE);
        target.close();
        while (handle.alive()) {
            Thread.onSpinWait();
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(8);
            refused(Reason.UNREACHABLE, () -> handle.read(0, buffer, 0, 8));
            refused(Reason.UNREACHABLE, () -> client.map(block(1), Access.READ));
            client.unmap(handle);
            client.close();
            refused(Reason.UNREACHABLE, () -> fabric.connect(ID, SESSION));
            target = node(TARGET);
            target.bricks.export(brick);
            endpoint = target.transport.start();
            try (BrickClient again = fabric.connect(ID, SESSION)) {
                again.map(block(1), Access.READ_WRITE).write(0, buffer, 0, 8);
            }
        }
    }

    @Test
    void shouldReleaseAtTheTargetWhatAPeerHeldWhenItsConnectionEnds() throws Exception {
        BrickClient client = fabric.connect(ID, SESSION);
        client.alloc(block(1));
        List<BlockHandle> died = new ArrayList<>();
        brick.addKillListener(handles -> {
            synchronized (died) {
                died.addAll(handles);
                died.notifyAll();
            }
            return List.of();
        });
        client.map(block(1), Access.READ_WRITE);
        initiator.close();
        synchronized (died) {
            while (died.isEmpty()) {
                died.wait();
            }
        }
        assertThat(died).hasSize(1);
        assertThat(died.getFirst().alive()).isFalse();
    }

    @Test
    void shouldTellOtherPeersOfHandlesThatDied() throws Exception {
        try (Node other = node(new PeerId(3, 3));
                BrickClient mine = fabric.connect(ID, SESSION);
                BrickClient theirs = other.fabric(this::locate).connect(ID, OTHER)) {
            mine.alloc(block(1), block(2));
            BlockHandle freed = theirs.map(block(1), Access.READ_WRITE);
            BlockHandle fenced = theirs.map(block(2), Access.READ_WRITE);
            mine.free(block(1));
            while (freed.alive()) {
                Thread.onSpinWait();
            }
            assertThat(fenced.alive()).isTrue();
            mine.fence(OTHER);
            while (fenced.alive()) {
                Thread.onSpinWait();
            }
        }
    }

    @Test
    void shouldCheckWhoIsAtTheEndpoint() {
        RoutingFabric wrong = initiator.fabric(id -> new BrickResolver.Location(99, endpoint));
        refused(Reason.UNREACHABLE, () -> wrong.connect(ID, SESSION));
    }

    @Test
    void shouldPreferTheBrickOfThisProcess() throws Exception {
        LocalFabric local = new LocalFabric();
        local.attach(brick);
        RoutingFabric routing = new RoutingFabric(
                local,
                initiator.bricks,
                new ConnectionPool(initiator.transport),
                id -> new BrickResolver.Location(99, "tcp://nowhere.invalid:1"));
        try (BrickClient client = routing.connect(ID, SESSION)) {
            client.alloc(block(1));
            assertThat(client.map(block(1), Access.READ).memory()).isNotNull();
        }
    }
}
