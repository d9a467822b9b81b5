package io.tesserafs.coherence.membership;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.coherence.membership.MembershipException.Reason;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ClusterViewTest {
    private static final Optional<String> SECRET = Optional.of("known to all nodes");

    @TempDir
    Path dir;

    ZooKeeperFixture zooKeeper;

    @BeforeEach
    void start() throws Exception {
        zooKeeper = new ZooKeeperFixture(dir);
    }

    @AfterEach
    void stop() throws Exception {
        zooKeeper.close();
    }

    private ClusterView view(Optional<String> password) throws MembershipException {
        return ClusterView.read(
                new ClusterConfig(zooKeeper.server.connectString(), "test", null, password, 4_000, 10_000));
    }

    @Test
    void shouldNotMakeAClusterThatIsNotThere() throws Exception {
        assertThat(view(SECRET)).isEqualTo(new ClusterView(Optional.empty(), List.of()));
        assertThat(view(SECRET).id()).isEmpty();
    }

    @Test
    void shouldShowTheNodesThatAreUp() throws Exception {
        ClusterClient client = zooKeeper.connect("test", null, SECRET);
        NodeInfo node =
                new NodeInfo(new NodeId(7), "node7", 42, Map.of("fabric", "tcp://127.0.0.1:7600"), List.of(3), "test");
        new NodeRegistry(client).join(node, ZooKeeperFixture.here(1), e -> {});
        assertThat(view(SECRET)).isEqualTo(new ClusterView(Optional.of(client.clusterId()), List.of(node)));
    }

    @Test
    void shouldSayThatTheSecretIsAnother() throws Exception {
        zooKeeper.connect("test", null, SECRET);
        assertThatThrownBy(() -> view(Optional.of("something else")))
                .isInstanceOfSatisfying(
                        MembershipException.class, e -> assertThat(e.reason()).isEqualTo(Reason.NOT_ALLOWED));
    }

    @Test
    void shouldSayThatNobodyAnswers() throws Exception {
        String servers = zooKeeper.server.connectString();
        zooKeeper.server.close();
        assertThatThrownBy(
                        () -> ClusterView.read(new ClusterConfig(servers, "test", null, Optional.empty(), 4_000, 200)))
                .isInstanceOfSatisfying(
                        MembershipException.class, e -> assertThat(e.reason()).isEqualTo(Reason.UNREACHABLE));
    }
}
