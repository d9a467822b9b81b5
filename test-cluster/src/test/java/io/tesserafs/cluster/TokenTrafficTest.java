package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** How many messages about tokens nodes exchange with the owner of a volume. */
@Tag("cluster")
class TokenTrafficTest {
    private static final int MIB = 1 << 20;

    /** Names of the directory, attributes, data: a request and a grant of each, twice where the first was for less than all. */
    private static final long MOST_PER_FILE = 12;

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.together("traffic", "1G", 2).patient();

    @Test
    void shouldCostALoneWriterAFewMessagesPerFileHoweverLongItIs() throws IOException {
        TestNode writer = CLUSTER.nodes().get(1);
        Path directory = CLUSTER.workDirectories("traffic", 2).get(1);
        long start = messages(writer);
        write(directory.resolve("short"), 1);
        long afterShort = messages(writer);
        write(directory.resolve("long"), 512);
        long afterLong = messages(writer);
        assertThat(afterShort - start).isPositive().isLessThanOrEqualTo(MOST_PER_FILE);
        assertThat(afterLong - afterShort).isLessThanOrEqualTo(MOST_PER_FILE);
    }

    private static void write(Path file, int mib) throws IOException {
        try (FileChannel out = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            ByteBuffer data = ByteBuffer.allocateDirect(MIB);
            for (int i = 0; i < mib; i++) {
                assertThat(out.write(data.clear())).isEqualTo(MIB);
            }
            out.force(true);
        }
    }

    /** That the node has sent and received since its volume was mounted. */
    private static long messages(TestNode node) {
        String text = node.cli("status", "--metrics", "--node", Integer.toString(node.number()))
                .expectSuccess()
                .output();
        return text.lines()
                .filter(line -> line.matches("tessera_token_(requests|grants|recalls|releases)_total\\{.*"))
                .mapToLong(line -> Long.parseLong(line.substring(line.lastIndexOf(' ') + 1)))
                .sum();
    }
}
