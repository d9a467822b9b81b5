package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.Mapping;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.pmem.Pool;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What stays behind on the devices, at either end, of handles and queue pairs that ended in one way or another: nothing. */
@Tag("rdma")
@Timeout(180)
class BrickResourcesTest {
    private static final BrickId ID = new BrickId(7);
    private static final SessionId STANDING = new SessionId(1);
    /** Of the first round; the next have the next. */
    private static final long FIRST_SESSION = 100;

    private static final int ROUNDS = 20;
    private static final BlockId[] BLOCKS = {BlockId.of(1, 1), BlockId.of(1, 2), BlockId.of(1, 3)};
    private static final int BYTES = 64 << 10;

    @TempDir
    Path directory;

    private LocalBrick brick;
    private VerbsNode target;
    private VerbsNode initiator;
    private String endpoint;
    private Connection connection;
    private BrickClient standing;

    /**
     * With a client that stays, and has a handle of each block: blocks are registered once for all windows, and remain so.
     */
    private void start(Revocation revocation) throws Exception {
        Path path = directory.resolve("pool");
        Pool.create(path, Pool.MIN_BYTES, "test", ID.value());
        brick = LocalBrick.open(Pool.open(path));
        target = VerbsNode.at("10.77.0.1", new PeerId(1, 1), KeyPolicy.of(revocation));
        target.tcp().export(brick);
        target.verbs().export(brick);
        assertThat(target.verbs().revocation()).contains(revocation);
        endpoint = target.transport().start();
        initiator = VerbsNode.at("10.77.0.2", new PeerId(2, 2));
        connection = initiator.connections().get(endpoint);
        standing = initiator.verbs().connect(connection, ID, STANDING);
        standing.alloc(BLOCKS);
        useAll(standing);
    }

    @AfterEach
    void stop() throws Exception {
        assertThat(initiator.verbs().traffic().clientsGivenUp())
                .as("clients whose bytes went another way")
                .isZero();
        standing.close();
        initiator.close();
        target.close();
        brick.close();
    }

    /** Maps all blocks, and has bytes go both ways by each handle. */
    private static List<BlockHandle> useAll(BrickClient client) throws BrickException {
        MemorySegment bytes = MemorySegment.ofArray(new byte[BYTES])
                .fill((byte) client.session().value());
        MemorySegment seen = MemorySegment.ofArray(new byte[BYTES]);
        List<BlockHandle> handles = new ArrayList<>();
        for (Mapping one : client.mapAll(Access.READ_WRITE, BLOCKS.length, List.of(BLOCKS))) {
            BlockHandle handle = one.handle();
            handle.write(0, bytes, 0, BYTES);
            handle.flush(0, BYTES);
            handle.read(0, seen, 0, BYTES);
            assertThat(seen.mismatch(bytes)).isEqualTo(-1);
            handles.add(handle);
        }
        return handles;
    }

    private static SessionId session(int round) {
        return new SessionId(FIRST_SESSION + round);
    }

    private static void assertAllDead(List<BlockHandle> handles) {
        for (BlockHandle handle : handles) {
            assertThatThrownBy(() -> handle.write(0, MemorySegment.ofArray(new byte[BYTES]), 0, BYTES))
                    .isInstanceOf(BrickException.class);
        }
    }

    /** For as long as nobody has noticed that the connection is closed, bytes travel. */
    private static void awaitDeath(List<BlockHandle> handles) {
        for (BlockHandle handle : handles) {
            boolean alive = true;
            while (alive) {
                try {
                    handle.write(0, MemorySegment.ofArray(new byte[BYTES]), 0, BYTES);
                } catch (BrickException e) {
                    alive = false;
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Revocation.class)
    void shouldLeaveNothingOfHandlesThatWereUnmapped(Revocation revocation) throws Exception {
        start(revocation);
        standing.unmapAll(useAll(standing)); // windows are kept for the next
        String before = DeviceResources.now();
        for (int round = 0; round < ROUNDS; round++) {
            standing.unmapAll(useAll(standing));
        }
        DeviceResources.awaitThose(before);
    }

    @ParameterizedTest
    @EnumSource(Revocation.class)
    void shouldLeaveNothingOfClientsThatWereClosed(Revocation revocation) throws Exception {
        start(revocation);
        String before = DeviceResources.now();
        for (int round = 0; round < ROUNDS; round++) {
            BrickClient client = initiator.verbs().connect(connection, ID, session(round));
            List<BlockHandle> handles = useAll(client);
            assertThat(DeviceResources.now()).isNotEqualTo(before);
            if (round % 2 == 0) {
                client.unmapAll(handles);
            }
            client.close();
        }
        DeviceResources.awaitThose(before);
    }

    @ParameterizedTest
    @EnumSource(Revocation.class)
    void shouldLeaveNothingOfSessionsThatWereFenced(Revocation revocation) throws Exception {
        start(revocation);
        String before = DeviceResources.now();
        for (int round = 0; round < ROUNDS; round++) {
            BrickClient client = initiator.verbs().connect(connection, ID, session(round));
            List<BlockHandle> handles = useAll(client);
            standing.fence(session(round));
            if (round % 2 == 0) {
                assertAllDead(handles);
            }
            client.close();
        }
        DeviceResources.awaitThose(before);
    }

    @ParameterizedTest
    @EnumSource(Revocation.class)
    void shouldLeaveNothingOfConnectionsThatWereLostWithHandlesHeld(Revocation revocation) throws Exception {
        start(revocation);
        String before = DeviceResources.now();
        for (int round = 0; round < ROUNDS; round++) {
            Connection doomed = initiator.transport().connect(endpoint);
            BrickClient client = initiator.verbs().connect(doomed, ID, session(round));
            List<BlockHandle> handles = useAll(client);
            doomed.close();
            if (round % 2 == 0) {
                awaitDeath(handles);
            }
            client.close();
        }
        DeviceResources.awaitThose(before);
    }
}
