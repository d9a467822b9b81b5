package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Nodes with a network each form a cluster, die, and come back. */
@Tag("cluster")
class NetNodesTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.apart("apart", "512M", 2);

    @Test
    void shouldShareFiles() throws IOException {
        Path directory = CLUSTER.workDirectory("share");
        Path elsewhere = CLUSTER.nodes().get(1).mount().resolve(directory.getFileName());
        Files.writeString(directory.resolve("f"), "written here");
        assertThat(Files.readString(elsewhere.resolve("f"))).isEqualTo("written here");
        Files.writeString(elsewhere.resolve("f"), "written there");
        assertThat(Files.readString(directory.resolve("f"))).isEqualTo("written there");
    }

    @Test
    void shouldComeBackAfterADeath() throws IOException {
        Path directory = CLUSTER.workDirectory("death");
        CLUSTER.shell(LIMIT, directory, "echo kept >f; sync f");
        NetNode second = CLUSTER.network().nodes().get(1);
        second.kill();
        assertThat(second.runs()).isFalse();
        CLUSTER.network().heal();
        assertThat(Files.readString(
                        second.mount().resolve(directory.getFileName()).resolve("f")))
                .isEqualTo("kept\n");
    }

    @Test
    void shouldGoOnAfterZooKeeperWasAway() throws IOException {
        CLUSTER.network().stopZooKeeper();
        Path directory = CLUSTER.workDirectory("zookeeper");
        CLUSTER.shell(LIMIT, directory, "echo kept >f; sync f");
        CLUSTER.network().heal();
        assertThat(Files.readString(directory.resolve("f"))).isEqualTo("kept\n");
    }
}
