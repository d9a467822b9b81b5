package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Nodes with a network each form a cluster, die, and come back. */
@Tag("cluster")
class NetNodesTest {
    private static final long BETWEEN_ASKING_NS = Duration.ofMillis(300).toNanos();
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final ObjectMapper MAPPER = new ObjectMapper();

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.apart("apart", "512M", 2).lease(Duration.ofSeconds(12));

    @AfterEach
    void heal() {
        CLUSTER.network().heal();
    }

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

    /** The log is on both bricks: the owner makes a mirror when it has seen the other node, and not while ZooKeeper is away. */
    private static void awaitMirror() throws IOException {
        long end = System.nanoTime() + LIMIT.toNanos();
        while (true) {
            Command.Result owner = CLUSTER.network().nodes().getFirst().ask("volume", "owner", "--json");
            if (owner.status() == 0
                    && MAPPER.readTree(owner.output()).path("mirrorBrick").asInt() != 0) {
                return;
            }
            assertThat(System.nanoTime())
                    .as(() -> "time when there was no mirror yet, but:\n" + owner.output())
                    .isLessThan(end);
            LockSupport.parkNanos(BETWEEN_ASKING_NS);
        }
    }

    /** Each has been at the other's brick: a node that nobody has seen yet is not found while ZooKeeper is away. */
    private static void letNodesMeet(Path directory) throws IOException {
        awaitMirror();
        for (NetNode node : CLUSTER.network().nodes()) {
            Path here = node.mount().resolve(directory.getFileName());
            Files.writeString(here.resolve("of" + node.number()), "met");
        }
        for (NetNode node : CLUSTER.network().nodes()) {
            Path here = node.mount().resolve(directory.getFileName());
            for (NetNode other : CLUSTER.network().nodes()) {
                assertThat(Files.readString(here.resolve("of" + other.number())))
                        .isEqualTo("met");
            }
        }
    }

    /** Longer than a lease and a margin, and than ZooKeeper keeps the entries of a node that is silent. */
    private static final Duration LONG_ABSENCE = Duration.ofSeconds(14);

    @Test
    void shouldGoOnForAsLongAsZooKeeperIsAway() throws IOException {
        Path directory = CLUSTER.workDirectory("long-absence");
        letNodesMeet(directory);
        CLUSTER.network().stopZooKeeper();
        long end = System.nanoTime() + LONG_ABSENCE.toNanos();
        int files = 0;
        while (System.nanoTime() < end) {
            for (NetNode node : CLUSTER.network().nodes()) {
                Path here = node.mount().resolve(directory.getFileName());
                CLUSTER.shell(
                        LIMIT, here, "echo " + files + " >f" + files + "; sync f" + files + "; cat f* >/dev/null");
                files++;
            }
        }
        CLUSTER.network().heal();
        for (NetNode node : CLUSTER.network().nodes()) {
            for (int i = 0; i < files; i++) {
                assertThat(Files.readString(
                                node.mount().resolve(directory.getFileName()).resolve("f" + i)))
                        .isEqualTo(i + "\n");
            }
        }
        CLUSTER.expectCleanFsck();
    }
}
