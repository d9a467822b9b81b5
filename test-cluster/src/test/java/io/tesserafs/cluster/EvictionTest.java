package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An operator evicts the session of a node: each time the end of a lease is waited for. */
@Tag("cluster")
class EvictionTest {
    private static final int NODES = 2;
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @RegisterExtension
    static final TestCluster CLUSTER =
            TestCluster.together("evictions", "512M", NODES).lease(Duration.ofSeconds(12));

    private static final Operator OPERATOR = new Operator(CLUSTER);

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void shouldEvictASessionAndLetItsNodeBeginAnother(int asked) throws Exception {
        int victim = NODES + 1 - OPERATOR.owner();
        assertThat(OPERATOR.ask(asked, "session", "evict", Integer.toString(victim))
                        .output())
                .contains("--yes");
        String before = sessionOf(asked, victim);
        assertThat(OPERATOR.text(asked, "session", "evict", Integer.toString(victim), "--yes"))
                .contains("Node " + victim + " is fenced");
        CLUSTER.shell(
                LIMIT,
                CLUSTER.scratch(),
                "until echo again >" + OPERATOR.file(victim, "evicted-" + asked) + "; do sleep 0.1; done 2>/dev/null");
        assertThat(Files.readString(OPERATOR.file(OPERATOR.owner(), "evicted-" + asked)))
                .isEqualTo("again\n");
        assertThat(sessionOf(asked, victim)).isNotEmpty().isNotEqualTo(before);
    }

    @Test
    void shouldLetWhoLostItsLockByAnEvictionGoOnOnlyWhenItHasLetGo() throws Exception {
        int owner = OPERATOR.owner();
        int victim = NODES + 1 - owner;
        Files.write(OPERATOR.file(victim, "locked"), new byte[4096]);
        CLUSTER.shell(
                LIMIT,
                CLUSTER.scratch(),
                "sync " + OPERATOR.file(victim, "locked")); // what is only closed may go with the session
        try (FileChannel holder = open(victim, "locked");
                FileChannel beside = open(victim, "locked");
                FileChannel other = open(owner, "locked")) {
            FileLock lock = holder.lock();
            assertThat(other.tryLock()).isNull();
            OPERATOR.text(owner, "session", "evict", Integer.toString(victim), "--yes");
            assertThat(other.tryLock()).isNotNull();
            CLUSTER.shell(
                    LIMIT,
                    CLUSTER.scratch(),
                    "until echo >" + OPERATOR.file(victim, "locked-again") + "; do sleep 0.1; done 2>/dev/null");
            ByteBuffer bytes = ByteBuffer.allocate(4096);
            assertThatThrownBy(() -> holder.read(bytes, 0)).hasMessageContaining("Input/output error");
            assertThatThrownBy(() -> holder.write(ByteBuffer.allocate(10), 0))
                    .hasMessageContaining("Input/output error");
            assertThat(beside.read(bytes.clear(), 0)).isEqualTo(4096);
            lock.release();
            assertThat(holder.read(bytes.clear(), 0)).isEqualTo(4096);
            assertThat(holder.write(ByteBuffer.allocate(10), 0)).isEqualTo(10);
        }
    }

    private static FileChannel open(int node, String name) throws IOException {
        return FileChannel.open(OPERATOR.file(node, name), StandardOpenOption.READ, StandardOpenOption.WRITE);
    }

    private static String sessionOf(int asked, int node) throws IOException {
        for (JsonNode session : OPERATOR.json(asked, "session", "list").path("sessions")) {
            if (session.path("node").asInt() == node) {
                return session.path("session").asText();
            }
        }
        return "";
    }
}
