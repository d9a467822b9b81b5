package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.Mapping;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.brick.TransferMemory;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.fabric.tcp.RemoteKey;
import io.tesserafs.fabric.tcp.TcpBricks;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A peer that goes on writing with keys it must not use any more. It is a member of the cluster, but obeys nobody. Every way of taking keys
 * back must pass this.
 */
@Tag("rdma")
@Timeout(180)
abstract class DeadKeyContract {
    private static final BrickId ID = new BrickId(7);
    private static final SessionId HONEST = new SessionId(1);
    private static final SessionId HOSTILE = new SessionId(2);
    private static final BlockId BLOCK = BlockId.of(1, 1);
    private static final BlockId OTHER_BLOCK = BlockId.of(1, 2);
    private static final int BYTES = 64 << 10;

    @TempDir
    Path directory;

    private final MemorySegment ones = MemorySegment.ofArray(new byte[BYTES]).fill((byte) 1);
    private LocalBrick brick;
    private VerbsNode target;
    private VerbsNode initiator;
    private Connection connection;
    private BrickClient honest;
    private BrickClient hostile;
    private BlockHandle hostileHandle;
    private VerbsSession rdma;
    private InitiatorQueuePair qp;
    private RemoteKey prepared;
    private MemorySegment pool;

    abstract Revocation revocation();

    @BeforeEach
    void takeAKey() throws Exception {
        Path path = directory.resolve("pool");
        Pool.create(path, Pool.MIN_BYTES, "test", ID.value());
        brick = LocalBrick.open(Pool.open(path));
        target = VerbsNode.at("10.77.0.1", new PeerId(1, 1), KeyPolicy.of(revocation()));
        target.tcp().export(brick);
        target.verbs().export(brick);
        assertThat(target.verbs().revocation()).contains(revocation());
        String endpoint = target.transport().start();
        initiator = VerbsNode.at("10.77.0.2", new PeerId(2, 2));
        connection = initiator.connections().get(endpoint);
        honest = initiator.verbs().connect(connection, ID, HONEST);
        honest.alloc(BLOCK, OTHER_BLOCK);
        hostile = initiator.tcp().connect(connection, ID, HOSTILE);
        hostileHandle = hostile.map(BLOCK, Access.READ_WRITE);
        pool = brick.connect(HONEST).map(BLOCK, Access.READ_WRITE).memory();
        rdma = new VerbsSession(initiator.verbs().device(), connection, HOSTILE, new Traffic());
        qp = rdma.queuePair();
        prepared = prepare(hostileHandle);
        qp.write(prepared.address(), prepared.key(), ones);
        assertThat(pool.asSlice(0, BYTES).mismatch(ones)).isEqualTo(-1);
        pool.fill((byte) 0);
    }

    private RemoteKey prepare(BlockHandle handle) throws Exception {
        return rdma.prepare(qp, List.of(TcpBricks.key(handle))).getFirst().region();
    }

    @AfterEach
    void stop() throws Exception {
        rdma.close();
        hostile.close();
        honest.close();
        initiator.close();
        target.close();
        brick.close();
    }

    private void assertUntouched() {
        assertThat(pool.mismatch(MemorySegment.ofArray(new byte[BlockId.BLOCK_BYTES])))
                .as("first byte changed")
                .isEqualTo(-1);
    }

    /** Also on a queue pair that is new. */
    private void assertKeyIsDead() throws Exception {
        assertThatThrownBy(() -> qp.write(prepared.address(), prepared.key(), ones))
                .isInstanceOf(QueuePairException.class);
        InitiatorQueuePair fresh = rdma.queuePair();
        assertThat(fresh).isNotSameAs(qp);
        assertThatThrownBy(() -> fresh.write(prepared.address(), prepared.key(), ones))
                .isInstanceOf(QueuePairException.class)
                .hasMessageContaining("REM_ACCESS_ERR");
        assertUntouched();
    }

    @Test
    void shouldChangeNothingAfterUnmap() throws Exception {
        hostile.unmap(hostileHandle);
        assertKeyIsDead();
    }

    @Test
    void shouldChangeNothingAfterFree() throws Exception {
        honest.free(BLOCK);
        assertKeyIsDead();
    }

    private interface Revoking {
        void run() throws Exception;
    }

    /** Takes the key back while the peer writes by it without a pause. */
    private void revokeUnderLoad(Revoking how) throws Exception {
        try (ExecutorService threads = Executors.newSingleThreadExecutor()) {
            CountDownLatch running = new CountDownLatch(1);
            Callable<String> writer = () -> {
                try {
                    while (true) {
                        qp.write(prepared.address(), prepared.key(), ones);
                        running.countDown();
                    }
                } catch (QueuePairException e) {
                    return e.getMessage();
                }
            };
            Future<String> outcome = threads.submit(writer);
            running.await();
            how.run();
            pool.fill((byte) 0);
            assertThat(outcome.get()).contains("IBV_WC");
            assertUntouched();
        }
        assertKeyIsDead();
    }

    @Test
    void shouldChangeNothingOnceUnmapReturned() throws Exception {
        revokeUnderLoad(() -> hostile.unmap(hostileHandle));
    }

    @Test
    void shouldNotReviveAKeyWhenTheBlockIsMappedAgain() throws Exception {
        hostile.unmap(hostileHandle);
        BlockHandle again = hostile.map(BLOCK, Access.READ_WRITE);
        RemoteKey second = prepare(again);
        assertThat(second.key()).isNotEqualTo(prepared.key());
        qp.write(second.address(), second.key(), ones);
        assertThat(pool.asSlice(0, BYTES).mismatch(ones)).isEqualTo(-1);
        pool.fill((byte) 0);
        assertKeyIsDead();
    }

    @Test
    void shouldChangeNothingOnceFenceReturnedWhileOthersGoOn() throws Exception {
        BlockHandle handle = honest.map(OTHER_BLOCK, Access.READ_WRITE);
        handle.write(0, ones, 0, BYTES);
        revokeUnderLoad(() -> honest.fence(HOSTILE));
        handle.write(BYTES, ones, 0, BYTES);
        MemorySegment seen = MemorySegment.ofArray(new byte[2 * BYTES]);
        handle.read(0, seen, 0, 2L * BYTES);
        assertThat(seen.asSlice(BYTES).mismatch(ones)).isEqualTo(-1);
    }

    @Test
    void shouldBeWorthNothingOnAnotherQueuePair() throws Exception {
        VerbsSession stranger = new VerbsSession(initiator.verbs().device(), connection, HONEST, new Traffic());
        InitiatorQueuePair other = stranger.queuePair();
        assertThatThrownBy(() -> other.write(prepared.address(), prepared.key(), ones))
                .isInstanceOf(QueuePairException.class);
        assertUntouched();
        stranger.close();
        qp.write(prepared.address(), prepared.key(), ones);
        assertThat(pool.asSlice(0, BYTES).mismatch(ones)).isEqualTo(-1);
    }

    @Test
    void shouldNotWriteByAKeyForReading() throws Exception {
        BlockHandle reader = hostile.map(OTHER_BLOCK, Access.READ);
        RemoteKey readOnly = prepare(reader);
        qp.read(readOnly.address(), readOnly.key(), MemorySegment.ofArray(new byte[16]));
        assertThatThrownBy(() -> qp.write(readOnly.address(), readOnly.key(), ones))
                .isInstanceOf(QueuePairException.class);
    }

    /** A row of requests with several pieces, of which one in the middle is by a dead key. */
    @Test
    void shouldChangeNothingByADeadKeyInTheMiddleOfARow() throws Exception {
        RemoteKey other = prepare(hostile.map(OTHER_BLOCK, Access.READ_WRITE));
        MemorySegment memory = TransferMemory.allocate(BYTES).fill((byte) 1);
        List<Gather.Element> elements =
                Objects.requireNonNull(qp.elements(List.of(memory.asSlice(0, 100), memory.asSlice(100))));
        assertThat(qp.maxElements(OneSided.WRITE)).isEqualTo(Gather.MAX_ELEMENTS);
        assertThat(qp.maxElements(OneSided.READ)).isEqualTo(Gather.MAX_ELEMENTS);
        List<Gather> row = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            RemoteKey key = i == 7 ? prepared : other;
            row.add(new Gather(key.address() + i * (long) BYTES, key.key(), elements));
        }
        qp.gather(OneSided.WRITE, row);
        assertThat(pool.asSlice(7 * BYTES, BYTES).mismatch(ones)).isEqualTo(-1);
        pool.fill((byte) 0);
        hostile.unmap(hostileHandle);
        assertThatThrownBy(() -> qp.gather(OneSided.WRITE, row)).isInstanceOf(QueuePairException.class);
        assertThat(qp.isUsable()).isFalse();
        assertKeyIsDead();
    }

    private List<BlockHandle> mapWithKeys(BrickClient client, int keys, BlockId... blocks) throws Exception {
        List<BlockHandle> handles = new ArrayList<>();
        for (Mapping one : TcpBricks.mapWithKeys(client, Access.READ_WRITE, qp.number(), keys, List.of(blocks))) {
            handles.add(one.handle());
        }
        return handles;
    }

    @Test
    void shouldChangeNothingAfterHandlesThatCameWithKeysAreUnmappedTogether() throws Exception {
        List<BlockHandle> handles = mapWithKeys(hostile, 1, BLOCK, OTHER_BLOCK);
        RemoteKey first = Objects.requireNonNull(TcpBricks.remoteKey(handles.get(0)));
        assertThat(TcpBricks.remoteKey(handles.get(1))).isNull();
        assertThat(first.key()).isNotEqualTo(prepared.key());
        qp.write(first.address(), first.key(), ones);
        assertThat(pool.asSlice(0, BYTES).mismatch(ones)).isEqualTo(-1);
        pool.fill((byte) 0);
        hostile.unmapAll(List.of(handles.get(1), hostileHandle, handles.get(0)));
        assertThatThrownBy(() -> qp.write(first.address(), first.key(), ones)).isInstanceOf(QueuePairException.class);
        assertKeyIsDead();
    }

    @Test
    void shouldGiveNoKeyForTheQueuePairOfAnotherSession() throws Exception {
        try (BrickClient stranger = initiator.tcp().connect(connection, ID, HONEST)) {
            assertThat(TcpBricks.remoteKey(mapWithKeys(stranger, 1, BLOCK).getFirst()))
                    .isNull();
        }
    }

    @Test
    void shouldPrepareTheOthersWhenOneHandleIsDead() throws Exception {
        BlockHandle dead = hostile.map(OTHER_BLOCK, Access.READ_WRITE);
        BlockHandle alive = hostile.map(OTHER_BLOCK, Access.READ_WRITE);
        hostile.unmap(dead);
        List<ControlCodec.Outcome> outcomes =
                rdma.prepare(qp, List.of(TcpBricks.key(hostileHandle), TcpBricks.key(dead), TcpBricks.key(alive)));
        assertThat(outcomes)
                .extracting(ControlCodec.Outcome::status)
                .containsExactly(ControlCodec.DONE, ControlCodec.DEAD, ControlCodec.DONE);
        assertThat(outcomes.getFirst().region()).isEqualTo(prepared);
        RemoteKey last = outcomes.getLast().region();
        qp.write(last.address(), last.key(), ones);
    }

    @Test
    void shouldNotReachBeyondTheBlock() throws Exception {
        assertThatThrownBy(() -> qp.write(prepared.address() + BlockId.BLOCK_BYTES - 1, prepared.key(), ones))
                .isInstanceOf(QueuePairException.class);
        assertUntouched();
    }
}
