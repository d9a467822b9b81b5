package io.tesserafs.coherence.membership;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.BrickId;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class RegistriesTest {
    private static final NodeId ONE = new NodeId(1);

    @TempDir
    Path dir;

    private ZooKeeperFixture fixture;

    @BeforeEach
    void start() throws Exception {
        fixture = new ZooKeeperFixture(dir);
    }

    @AfterEach
    void stop() throws Exception {
        fixture.close();
    }

    private static NodeInfo node(String name) {
        return new NodeInfo(ONE, name, 42, Map.of("admin", "unix:/tmp/sock"), List.of(1, 2), "0.1");
    }

    private static NodeMembership join(ClusterClient client, String name, Incarnation self) throws MembershipException {
        return new NodeRegistry(client).join(node(name), self, e -> {});
    }

    @Test
    void shouldLetNobodyReadOrChangeAClusterWithoutItsPassword() throws Exception {
        ClusterClient member = fixture.connect("guarded", null, Optional.of("right"));
        join(member, "first", ZooKeeperFixture.here(1));
        for (Optional<String> password : List.of(Optional.<String>empty(), Optional.of("wrong"))) {
            assertThatThrownBy(() -> fixture.connect("guarded", null, password))
                    .isInstanceOf(MembershipException.class)
                    .hasMessageContaining("another secret")
                    .extracting(e -> ((MembershipException) e).reason())
                    .isEqualTo(MembershipException.Reason.NOT_ALLOWED);
        }
        ClusterClient second = fixture.connect("guarded", member.clusterId(), Optional.of("right"));
        assertThat(new NodeRegistry(second).list()).containsExactly(node("first"));
        assertThat(fixture.connect("other", null, Optional.of("its own")).clusterId())
                .isNotEqualTo(member.clusterId());
    }

    @Test
    void shouldListNodesThatJoinedAndForgetThoseThatLeft() throws Exception {
        ClusterClient client = fixture.connect();
        NodeRegistry registry = new NodeRegistry(client);
        assertThat(registry.list()).isEmpty();
        NodeMembership membership = join(client, "first", ZooKeeperFixture.here(1));
        assertThat(new NodeRegistry(fixture.connect()).list()).containsExactly(node("first"));
        membership.update(node("renamed"));
        assertThat(registry.find(ONE)).contains(node("renamed"));
        membership.close();
        membership.close();
        assertThat(registry.list()).isEmpty();
    }

    @Test
    void shouldRefuseASecondNodeWithTheSameId() throws Exception {
        join(fixture.connect(), "first", ZooKeeperFixture.here(1));
        assertThatThrownBy(() -> join(fixture.connect(), "second", ZooKeeperFixture.here(2)))
                .isInstanceOf(MembershipException.class)
                .hasMessageContaining("Another node uses id n1: 'first'");
    }

    @Test
    void shouldRefuseASecondProcessOnTheSameStateDirectory() throws Exception {
        Incarnation here = ZooKeeperFixture.here(1);
        join(fixture.connect(), "first", here);
        Incarnation later = new Incarnation(here.identity(), here.host(), here.bootId(), here.pid() + 1, 1);
        assertThatThrownBy(() -> join(fixture.connect(), "second", later))
                .isInstanceOf(MembershipException.class)
                .hasMessageContaining("running already, as pid " + here.pid());
    }

    @Test
    void shouldReplaceItsOwnEntryAfterACrashWithoutWaitingForTheOldSession() throws Exception {
        ClusterClient crashed = fixture.connect(); // still connected: its session stays alive
        join(crashed, "before", ZooKeeperFixture.dead(1));
        ClusterClient client = fixture.connect();
        join(client, "after", ZooKeeperFixture.here(1));
        assertThat(new NodeRegistry(client).list()).containsExactly(node("after"));
        crashed.close();
        assertThat(new NodeRegistry(client).list()).containsExactly(node("after"));
    }

    @Test
    void shouldReplaceItsOwnEntryAfterAReboot() throws Exception {
        Incarnation here = ZooKeeperFixture.here(1);
        Incarnation before = new Incarnation(here.identity(), here.host(), "other-boot", here.pid(), here.startTicks());
        join(fixture.connect(), "before", before);
        ClusterClient client = fixture.connect();
        join(client, "after", here);
        assertThat(new NodeRegistry(client).list()).containsExactly(node("after"));
    }

    @Test
    void shouldNotTouchTheEntryOfACopiedStateDirectoryOnAnotherHost() throws Exception {
        Incarnation here = ZooKeeperFixture.here(1);
        join(fixture.connect(), "far", new Incarnation(here.identity(), "far", "boot", 1, 1));
        assertThatThrownBy(() -> join(fixture.connect(), "near", here))
                .isInstanceOf(MembershipException.class)
                .hasMessageContaining("from another host");
    }

    @Test
    void shouldRejoinWithANewSessionWhenTheOldOneWasLost() throws Exception {
        ClusterClient client = fixture.connect();
        BlockingQueue<String> threads = new LinkedBlockingQueue<>();
        BlockingQueue<ConnectionListener.Connection> states = new LinkedBlockingQueue<>();
        join(client, "node", ZooKeeperFixture.here(1));
        client.addListener(state -> {
            threads.add(Thread.currentThread().getName());
            states.add(state);
        });
        long before = client.sessionId();
        fixture.server.expire(before);
        while (states.take() != ConnectionListener.Connection.LOST) {
            assertThat(threads.take()).isEqualTo("tessera-cluster-events");
        }
        while (states.take() != ConnectionListener.Connection.CONNECTED) {
            assertThat(threads.take()).isEqualTo("tessera-cluster-events");
        }
        // This listener is called after the membership's, which has rejoined by now.
        assertThat(client.sessionId()).isNotEqualTo(before);
        assertThat(new NodeRegistry(client).list()).containsExactly(node("node"));
    }

    @Test
    void shouldKeepTheInstanceSecretForTheOwnersEyes() throws Exception {
        byte[] secret = InstanceSecret.loadOrCreate(dir);
        assertThat(InstanceSecret.loadOrCreate(dir)).isEqualTo(secret).hasSize(32);
        Path file = dir.resolve("instance.secret");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                .isEqualTo("rw-------");
        Files.writeString(file, "nonsense");
        assertThatThrownBy(() -> InstanceSecret.loadOrCreate(dir)).hasMessageContaining("damaged");
    }

    @Test
    void shouldNumberPoolsOnceAndForEver() throws Exception {
        BrickRegistry bricks = new BrickRegistry(fixture.connect());
        assertThat(bricks.list()).isEmpty();
        UUID pool = UUID.randomUUID();
        UUID other = UUID.randomUUID();
        assertThat(bricks.register(pool, null, ONE, "/a", 1 << 20)).isEqualTo(new BrickId(1));
        assertThat(bricks.register(other, null, ONE, "/b", 1 << 20)).isEqualTo(new BrickId(2));
        assertThat(bricks.register(pool, null, ONE, "/a", 1 << 20)).isEqualTo(new BrickId(1));
        NodeId two = new NodeId(2);
        assertThat(bricks.register(pool, new BrickId(1), two, "/moved", 2 << 20))
                .isEqualTo(new BrickId(1));
        assertThat(bricks.list())
                .containsExactly(
                        new BrickRecord(1, pool, two, "/moved", 2 << 20),
                        new BrickRecord(2, other, ONE, "/b", 1 << 20));
        assertThat(bricks.find(other)).map(BrickRecord::brick).contains(2);
        assertThat(bricks.find(UUID.randomUUID())).isEmpty();
    }

    @Test
    void shouldRefuseAPoolOfAnotherCluster() throws Exception {
        BrickRegistry bricks = new BrickRegistry(fixture.connect());
        UUID pool = UUID.randomUUID();
        assertThatThrownBy(() -> bricks.register(pool, new BrickId(7), ONE, "/a", 1))
                .hasMessageContaining("does not know it");
        bricks.register(pool, null, ONE, "/a", 1);
        assertThatThrownBy(() -> bricks.register(pool, new BrickId(7), ONE, "/a", 1))
                .hasMessageContaining("knows it as b1");
    }

    @Test
    void shouldSayWhenNumbersAreUsedUp() throws Exception {
        ClusterClient client = fixture.connect();
        BrickRegistry bricks = new BrickRegistry(client);
        bricks.register(UUID.randomUUID(), null, ONE, "/a", 1);
        client.curator().setData().forPath(Znodes.LAST_BRICK, Znodes.encodeNumber(Znodes.MAX_NUMBER - 1));
        assertThat(bricks.register(UUID.randomUUID(), null, ONE, "/b", 1).value())
                .isEqualTo(65_535);
        assertThatThrownBy(() -> bricks.register(UUID.randomUUID(), null, ONE, "/c", 1))
                .extracting(e -> ((MembershipException) e).reason())
                .isEqualTo(MembershipException.Reason.EXHAUSTED);
    }
}
