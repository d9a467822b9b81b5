package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A file of which each node has written a part, which lies on that node's brick. */
@Tag("cluster")
class MixedBricksTest {
    private static final Duration LIMIT = Duration.ofMinutes(2);

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.together("mixed", "512M", 3).lease(Duration.ofSeconds(12));

    private static Path file(int node) {
        return CLUSTER.nodes().get(node - 1).mount().resolve("file");
    }

    private static void dd(String arguments) {
        CLUSTER.run(LIMIT, CLUSTER.scratch(), ("dd bs=1M status=none " + arguments).split(" "));
    }

    @Test
    void shouldBeThereButForThePartOnABrickThatIsAway() {
        Path two = CLUSTER.scratch().resolve("two");
        Path three = CLUSTER.scratch().resolve("three");
        dd("if=/dev/urandom count=4 of=" + two);
        dd("if=/dev/urandom count=4 of=" + three);
        dd("conv=notrunc,fsync if=" + three + " of=" + file(3));
        dd("conv=notrunc,fsync seek=4 if=" + two + " of=" + file(2));
        CLUSTER.nodes().get(1).kill();

        // Node 1 has never seen the file, and node 3 has not seen all of it.
        Path seen = CLUSTER.scratch().resolve("seen");
        dd("count=4 if=" + file(1) + " of=" + seen);
        assertThat(seen).hasSameBinaryContentAs(three);
        Command.Result lost = CLUSTER.commands()
                .run(LIMIT, CLUSTER.scratch(), "dd", "bs=1M", "skip=4", "of=/dev/null", "if=" + file(1));
        assertThat(lost.expectFailure().output()).contains("Input/output error");
        dd("conv=notrunc,fsync oflag=append if=" + two + " of=" + file(1));
        dd("conv=notrunc,fsync seek=12 if=" + three + " of=" + file(3));

        CLUSTER.nodes().get(1).start();
        Path all = CLUSTER.scratch().resolve("all");
        Path expected = CLUSTER.scratch().resolve("expected");
        CLUSTER.shell(LIMIT, CLUSTER.scratch(), "cat three two two three > " + expected);
        dd("if=" + file(2) + " of=" + all);
        assertThat(all).hasSameBinaryContentAs(expected);
        CLUSTER.expectCleanFsck();
    }
}
