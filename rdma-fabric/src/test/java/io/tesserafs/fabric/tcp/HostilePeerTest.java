package io.tesserafs.fabric.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.fabric.shm.HostProcess;
import io.tesserafs.fabric.tcp.GreetingLayout.Purpose;
import io.tesserafs.fabric.tcp.GreetingLayout.Ticket;
import io.tesserafs.fabric.tcp.LaneLayout.Operation;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Peers that know the secret and still send what they must not: nothing outside their handles changes, and others go on. */
@Timeout(120)
class HostilePeerTest {
    private static final PeerId MALLORY = new PeerId(666, 1);
    private static final SessionId SESSION = new SessionId(0x5e55);
    private static final SessionId HONEST = new SessionId(0x40);
    private static final BrickId BRICK = new BrickId(7);
    private static final BlockId VICTIM = BlockId.of(1, 1);
    private static final BlockId OWN = BlockId.of(1, 2);

    @TempDir
    Path directory;

    private LocalBrick brick;
    private TcpTransport transport;
    private TcpBricks bricks;
    private String endpoint;
    private TcpTransport honestTransport;
    private TcpBricks honestBricks;
    private BrickClient honest;
    private BlockHandle witness;
    private final MemorySegment expected = MemorySegment.ofArray(new byte[BlockId.BLOCK_BYTES]);

    @BeforeEach
    void start() throws Exception {
        Path path = directory.resolve("pool");
        Pool.create(path, Pool.MIN_BYTES, "test", BRICK.value());
        brick = LocalBrick.open(Pool.open(path));
        transport = new TcpTransport(TcpTransportTest.config(new PeerId(1, 1)));
        bricks = new TcpBricks(transport);
        bricks.export(brick);
        endpoint = transport.start();
        honestTransport = new TcpTransport(TcpTransportTest.config(new PeerId(2, 2)));
        honestBricks = new TcpBricks(honestTransport);
        Connection connection = honestTransport.connect(endpoint);
        honest = honestBricks.connect(connection, BRICK, HONEST);
        honest.alloc(VICTIM, OWN);
        witness = honest.map(VICTIM, Access.READ_WRITE);
        expected.fill((byte) 0x5A);
        witness.write(0, expected, 0, BlockId.BLOCK_BYTES);
    }

    @AfterEach
    void stop() throws Exception {
        honestTransport.close();
        honestBricks.close();
        transport.close();
        bricks.close();
        brick.close();
    }

    private void assertUntouched() throws IOException {
        MemorySegment seen = MemorySegment.ofArray(new byte[BlockId.BLOCK_BYTES]);
        witness.read(0, seen, 0, BlockId.BLOCK_BYTES);
        assertThat(seen.mismatch(expected)).isEqualTo(-1);
    }

    /** A connection with a mapped handle, and a lane. */
    private final class Intruder implements AutoCloseable {
        final RawPeer connection = RawPeer.connect(endpoint);
        final RawPeer lane = RawPeer.connect(endpoint);
        final Ticket ticket;
        final int client;
        final HandleKey key;

        Intruder(BlockId block, Access access) throws IOException {
            ticket = connection.shakeHands(MALLORY).ticket();
            lane.shakeHands(MALLORY, Purpose.LANE, ticket);
            client = BrickAnswers.takeAnswer(call(1, new BrickRequest.Open(BRICK, SESSION)));
            ByteBuffer mapped = call(2, new BrickRequest.Map(client, access, 0, 0, List.of(block)));
            BrickAnswers.takeAnswer(mapped);
            key = ((MapAnswers.Made) MapAnswers.take(1, 1, mapped).getFirst()).key();
        }

        ByteBuffer call(long id, BrickRequest request) throws IOException {
            return connection.call(TcpBricks.SERVICE, id, BrickCodec.encode(request));
        }

        int write(HandleKey with, SessionId session, long offset, int length) throws IOException {
            lane.wire.writeFully(request(Operation.WRITE, with, session, offset, length));
            lane.wire.writeFully(ByteBuffer.allocate(length));
            return status();
        }

        /** The first bytes of several handles. */
        int flush(HandleKey... keys) throws IOException {
            ByteBuffer ranges =
                    ByteBuffer.allocate(keys.length * LaneLayout.RANGE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
            for (HandleKey each : keys) {
                LaneLayout.putRange(ranges, each, 0, 4096);
            }
            lane.wire.writeFully(request(Operation.FLUSH_ALL, key, SESSION, 0, ranges.capacity()));
            lane.wire.writeFully(ranges.flip());
            return status();
        }

        int status() throws IOException {
            ByteBuffer answer = ByteBuffer.allocate(LaneLayout.ANSWER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
            lane.wire.readFully(answer);
            return LaneLayout.status(answer, 1);
        }

        @Override
        public void close() throws IOException {
            connection.close();
            lane.close();
        }
    }

    private static ByteBuffer request(Operation operation, HandleKey key, SessionId session, long offset, long length) {
        ByteBuffer out = ByteBuffer.allocate(LaneLayout.REQUEST_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        LaneLayout.put(out, operation, key, session, offset, length, 1);
        return out.flip();
    }

    @Test
    void shouldCheckKeySessionBoundsAndAccessAtTheTarget() throws Exception {
        try (Intruder reader = new Intruder(VICTIM, Access.READ);
                Intruder other = new Intruder(OWN, Access.READ_WRITE)) {
            int dead = BrickAnswers.status(Reason.DEAD_HANDLE);
            int outOfBounds = BrickAnswers.status(Reason.OUT_OF_BOUNDS);
            assertThat(reader.write(reader.key, SESSION, 0, 4096)).isEqualTo(BrickAnswers.status(Reason.ACCESS));
            assertThat(reader.write(reader.key, HONEST, 0, 4096)).isEqualTo(dead);
            assertThat(reader.write(new HandleKey(0, 0), SESSION, 0, 4096)).isEqualTo(dead);
            assertThat(reader.write(other.key, SESSION, 0, 4096))
                    .as("another connection's")
                    .isEqualTo(dead);
            for (long offset :
                    new long[] {-1, BlockId.BLOCK_BYTES - 4095, BlockId.BLOCK_BYTES, Long.MAX_VALUE, Long.MIN_VALUE}) {
                assertThat(other.write(other.key, SESSION, offset, 4096)).isEqualTo(outOfBounds);
            }
            assertThat(other.write(other.key, SESSION, 0, BlockId.BLOCK_BYTES)).isZero();
            assertThat(reader.flush(reader.key)).isZero();
            assertThat(reader.flush(reader.key, new HandleKey(0, 0))).isEqualTo(dead);
            assertThat(reader.flush(other.key, reader.key)).isEqualTo(dead);
            // A long write that only in its second chunk runs over the end.
            assertThat(other.write(
                            other.key,
                            SESSION,
                            LaneLayout.CHUNK_BYTES + 1,
                            BlockId.BLOCK_BYTES - LaneLayout.CHUNK_BYTES))
                    .isEqualTo(outOfBounds);
            assertUntouched();
        }
    }

    @Test
    void shouldLandNoByteOfAWriteThatStopsHalfWayAndHoldUpNobody() throws Exception {
        try (Intruder hung = new Intruder(VICTIM, Access.READ_WRITE)) {
            hung.lane.wire.writeFully(request(Operation.WRITE, hung.key, SESSION, 0, BlockId.BLOCK_BYTES));
            hung.lane.wire.writeFully(ByteBuffer.allocate(LaneLayout.CHUNK_BYTES + 1));
            honest.fence(SESSION);
            witness.write(0, expected, 0, BlockId.BLOCK_BYTES);
            hung.lane.wire.writeFully(ByteBuffer.allocate(BlockId.BLOCK_BYTES - LaneLayout.CHUNK_BYTES - 1));
            assertThat(hung.status()).isEqualTo(BrickAnswers.status(Reason.DEAD_HANDLE));
            assertUntouched();
        }
    }

    @Test
    void shouldNotWaitForAPeerThatDoesNotReadWhatItAskedFor() throws Exception {
        try (Intruder hung = new Intruder(VICTIM, Access.READ)) {
            hung.lane.wire.writeFully(request(Operation.READ, hung.key, SESSION, 0, BlockId.BLOCK_BYTES));
            honest.fence(SESSION);
            honest.free(OWN);
            assertUntouched();
        }
    }

    @Test
    void shouldCloseALaneThatMakesNoSense() throws Exception {
        try (Intruder first = new Intruder(OWN, Access.READ_WRITE);
                Intruder second = new Intruder(OWN, Access.READ_WRITE);
                Intruder third = new Intruder(OWN, Access.READ_WRITE)) {
            first.lane.wire.writeFully(request(Operation.READ, first.key, SESSION, 0, BlockId.BLOCK_BYTES + 1));
            first.lane.awaitEnd();
            second.lane.wire.writeFully(ByteBuffer.allocate(LaneLayout.REQUEST_BYTES));
            second.lane.awaitEnd();
            long tooMany = (LaneLayout.MAX_RANGES + 1) * LaneLayout.RANGE_BYTES;
            third.lane.wire.writeFully(request(Operation.FLUSH_ALL, third.key, SESSION, 0, tooMany));
            third.lane.awaitEnd();
        }
    }

    @Test
    void shouldRefuseALaneWithoutAConnectionOrOfAnotherPeer() throws Exception {
        try (Intruder intruder = new Intruder(OWN, Access.READ);
                RawPeer stranger = RawPeer.connect(endpoint);
                RawPeer other = RawPeer.connect(endpoint)) {
            assertThat(assertThrows(
                                    PeerException.class,
                                    () -> stranger.shakeHands(MALLORY, Purpose.LANE, new Ticket(1, 2)))
                            .reason())
                    .isEqualTo(PeerException.Reason.REFUSED);
            assertThat(assertThrows(
                                    PeerException.class,
                                    () -> other.shakeHands(new PeerId(667, 1), Purpose.LANE, intruder.ticket))
                            .reason())
                    .isEqualTo(PeerException.Reason.REFUSED);
        }
    }

    @Test
    void shouldEndLanesWithTheirConnection() throws Exception {
        try (Intruder intruder = new Intruder(OWN, Access.READ)) {
            intruder.connection.close();
            intruder.lane.awaitEnd();
        }
    }

    @Test
    void shouldForgetALostConnectionOnlyForItsOwnPeer() throws Exception {
        try (Intruder old = new Intruder(OWN, Access.READ_WRITE);
                Intruder fresh = new Intruder(OWN, Access.READ_WRITE);
                RawPeer other = RawPeer.connect(endpoint)) {
            ByteBuffer forget = BrickCodec.encode(new BrickRequest.Forget(List.of(old.ticket)));
            other.shakeHands(new PeerId(667, 1));
            other.call(TcpBricks.SERVICE, 1, forget.duplicate());
            assertThat(old.write(old.key, SESSION, 0, 4096)).isZero();
            fresh.connection.call(TcpBricks.SERVICE, 3, forget);
            old.connection.awaitEnd();
            old.lane.awaitEnd();
            assertThat(fresh.write(fresh.key, SESSION, 0, 4096)).isZero();
        }
    }

    @Test
    void shouldSurviveGarbageFromStrangers() throws Exception {
        Random random = seeded();
        for (int i = 0; i < 60; i++) {
            try (RawPeer peer = RawPeer.connect(endpoint)) {
                ByteBuffer bytes = garbage(random, random.nextInt(1, 3000), i % 2 == 0);
                writeUntilClosed(peer, bytes);
                peer.finish();
                peer.awaitEnd();
            }
        }
        assertUntouched();
    }

    @Test
    void shouldSurviveGarbageFromPeers() throws Exception {
        Random random = seeded();
        for (int i = 0; i < 60; i++) {
            try (RawPeer peer = RawPeer.connect(endpoint)) {
                peer.shakeHands(MALLORY);
                writeUntilClosed(peer, garbage(random, random.nextInt(1, 3000), i % 2 == 0));
                peer.finish();
                peer.awaitEnd();
            }
        }
        assertUntouched();
    }

    @Test
    void shouldSurviveBrickCallsThatMakeNoSense() throws Exception {
        Random random = seeded();
        try (Intruder intruder = new Intruder(OWN, Access.READ_WRITE)) {
            List<BrickRequest> requests = List.of(
                    new BrickRequest.Open(BRICK, SESSION),
                    new BrickRequest.Describe(intruder.client),
                    new BrickRequest.Alloc(intruder.client, List.of(BlockId.of(2, 1), BlockId.of(2, 2))),
                    new BrickRequest.Map(intruder.client, Access.READ, 1, 2, List.of(OWN, OWN)),
                    new BrickRequest.Unmap(intruder.client, List.of(intruder.key)),
                    new BrickRequest.MapShared(intruder.client, Access.READ, List.of(OWN)),
                    new BrickRequest.Attach(intruder.client, HostProcess.current()),
                    new BrickRequest.ListIds(intruder.client, OWN, 5));
            for (int i = 0; i < 3000; i++) {
                ByteBuffer bytes = mutate(random, BrickCodec.encode(requests.get(random.nextInt(requests.size()))));
                intruder.connection.writer.write(FrameType.CALL, TcpBricks.SERVICE, 0, 100 + i, bytes);
                FrameLayout.Header header = intruder.connection.reader.next();
                while (header.type() == FrameType.NOTIFICATION || header.type() == FrameType.PING) {
                    intruder.connection.reader.body(header);
                    header = intruder.connection.reader.next();
                }
                assertThat(header.type()).isIn(FrameType.REPLY, FrameType.ERROR);
                intruder.connection.reader.body(header);
            }
            assertUntouched();
        }
    }

    @Test
    void shouldSurviveLaneRequestsThatMakeNoSense() throws Exception {
        Random random = seeded();
        try (Intruder intruder = new Intruder(OWN, Access.READ_WRITE)) {
            for (int i = 0; i < 200; i++) {
                try (RawPeer lane = RawPeer.connect(endpoint)) {
                    lane.shakeHands(MALLORY, Purpose.LANE, intruder.ticket);
                    Operation operation = List.of(Operation.READ, Operation.WRITE, Operation.FLUSH, Operation.FLUSH_ALL)
                            .get(random.nextInt(4));
                    ByteBuffer bytes =
                            mutate(random, request(operation, intruder.key, SESSION, 0, random.nextInt(5000)));
                    writeUntilClosed(lane, bytes);
                    writeUntilClosed(lane, garbage(random, random.nextInt(5000), false));
                    lane.finish();
                    lane.awaitEnd();
                }
            }
            assertUntouched();
        }
    }

    @Test
    void shouldDecodeNothingThatMakesNoSense() throws Exception {
        Random random = seeded();
        List<BrickRequest> requests = List.of(
                new BrickRequest.Alloc(1, List.of(VICTIM, OWN)),
                new BrickRequest.Free(1, List.of(VICTIM)),
                new BrickRequest.Fence(1, SESSION),
                new BrickRequest.Attach(1, HostProcess.current()),
                new BrickRequest.Map(1, Access.READ, 2, 1, List.of(VICTIM, OWN)),
                new BrickRequest.Unmap(1, List.of(new HandleKey(1, 2))),
                new BrickRequest.MapShared(1, Access.READ, List.of(VICTIM)),
                new BrickRequest.Forget(List.of(new Ticket(1, 2))),
                new BrickRequest.Close(1));
        ByteBuffer described = BrickAnswers.described(1, brick.info());
        ByteBuffer mapped = MapAnswers.encode(List.of(
                new MapAnswers.Made(1, new HandleKey(1, 2), new RemoteKey(3, 4)),
                new MapAnswers.Refused(Reason.NOT_FOUND, "not found")));
        for (int i = 0; i < 50_000; i++) {
            ByteBuffer request = BrickCodec.encode(requests.get(i % requests.size()));
            tolerate(() -> BrickCodec.decode(mutate(random, request)));
            tolerate(() -> BrickCodec.decode(garbage(random, random.nextInt(64), false)));
            tolerate(() -> HandleNotice.decode(mutate(
                    random, new HandleNotice(HandleNotice.Kind.LET_GO, List.of(new HandleKey(1, 2))).encode())));
            tolerate(() -> {
                ByteBuffer answer = mutate(random, described);
                answer.order(ByteOrder.LITTLE_ENDIAN);
                BrickAnswers.takeAnswer(answer);
                BrickAnswers.takeDescription(answer);
            });
            tolerate(() -> {
                ByteBuffer answer = mutate(random, BrickAnswers.listed(1, 2, 3));
                BrickAnswers.takeListed(BrickAnswers.takeAnswer(answer), answer);
            });
            tolerate(() -> {
                ByteBuffer answer = mutate(random, mapped);
                answer.order(ByteOrder.LITTLE_ENDIAN);
                MapAnswers.take(BrickAnswers.takeAnswer(answer), 2, answer);
            });
            tolerate(() -> GreetingLayout.decode(garbage(random, GreetingLayout.CHALLENGE_BYTES, false)));
            tolerate(() -> FrameLayout.take(garbage(random, FrameLayout.BYTES, false)));
            tolerate(() -> LaneLayout.request(garbage(random, LaneLayout.REQUEST_BYTES, false), BlockId.BLOCK_BYTES));
        }
    }

    private interface Decoding {
        void run() throws IOException;
    }

    /** An IOException is how a decoder refuses; anything else fails the test. */
    private static void tolerate(Decoding decoding) {
        try {
            decoding.run();
        } catch (IOException e) {
            assertThat(e).hasMessageNotContaining("null");
        }
    }

    private static Random seeded() {
        long seed = Long.getLong("tessera.test.seed", System.nanoTime());
        System.out.println("HostilePeerTest: -Dtessera.test.seed=" + seed);
        return new Random(seed);
    }

    private static ByteBuffer garbage(Random random, int length, boolean asFrame) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        if (asFrame && length >= FrameLayout.BYTES) {
            List<FrameType> types = List.of(FrameType.values());
            FrameLayout.put(
                    buffer,
                    types.get(random.nextInt(types.size())),
                    random.nextInt(3),
                    random.nextInt(7),
                    random.nextLong(),
                    random.nextInt(200));
            buffer.rewind();
        }
        return buffer;
    }

    private static ByteBuffer mutate(Random random, ByteBuffer original) {
        byte[] bytes = new byte[original.remaining()];
        original.duplicate().get(bytes);
        for (int i = random.nextInt(4); i > 0; i--) {
            bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
        }
        int length = random.nextInt(8) == 0 ? random.nextInt(bytes.length + 1) : bytes.length;
        return ByteBuffer.wrap(bytes, 0, length).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static void writeUntilClosed(RawPeer peer, ByteBuffer bytes) {
        try {
            peer.wire.writeFully(bytes);
        } catch (IOException e) {
            assertThat(e).hasMessageMatching("(?i).*(reset|broken pipe).*");
        }
    }
}
