package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Many entries, many small files, a large mapping, a full volume. */
@Tag("cluster")
class ScaleTest {
    /** Of the large directory; {@code -Dtessera.directory.entries=1000000} for the full size. */
    private static final int ENTRIES = Integer.getInteger("tessera.directory.entries", 100_000);

    private static final int SMALL_FILES = 100_000;
    private static final long GIB = 1L << 30;

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.oneNode("scale", "3G").patient();

    @Test
    void shouldListAHugeDirectoryWithStableCookiesWhileItChanges() {
        Path directory = CLUSTER.workDirectory("big").resolve("d");
        System.out.print(CLUSTER.run(
                        Duration.ofSeconds(60 + ENTRIES / 2000),
                        CLUSTER.scratch(),
                        NativePrograms.compile("bigdir"),
                        directory.toString(),
                        Integer.toString(ENTRIES))
                .output());
        CLUSTER.node().expectCleanFsck();
    }

    @Test
    void shouldKeepAHundredThousandSmallFilesInLessThanAGibibyte() throws IOException {
        Path directory = CLUSTER.workDirectory("small");
        FileStore store = Files.getFileStore(directory);
        long before = store.getUnallocatedSpace();
        CLUSTER.shell(Duration.ofMinutes(3), directory, """
                small=/tmp/tessera-small.$$
                head -c 1024 /dev/urandom >$small
                for i in $(seq 1000); do cat $small; done >$small.1000
                for d in $(seq 100); do
                  mkdir $d
                  split -a 3 -d -b 1024 --additional-suffix=.x $small.1000 $d/f
                done
                test "$(find . -type f -size 1024c | wc -l)" = %d
                cmp $small 77/f777.x
                rm $small $small.1000
                sync -f .
                """.formatted(SMALL_FILES));
        assertThat(before - store.getUnallocatedSpace()).isLessThan(GIB);
        CLUSTER.shell(Duration.ofMinutes(2), directory, "rm -rf -- *; sync -f .");
        CLUSTER.node().expectCleanFsck();
    }

    @Test
    void shouldTakeAGibibyteThroughAMappingInReasonableTime() throws IOException {
        Path file = CLUSTER.workDirectory("mapping").resolve("f");
        CLUSTER.run(
                Duration.ofSeconds(90),
                CLUSTER.scratch(),
                NativePrograms.compile("sharing"),
                file.toString(),
                "fill",
                "1024");
        Files.delete(file);
        assertThat(CLUSTER.node().ownMemoryMib())
                .as("the daemon's own memory, MiB")
                .isLessThan(1024);
    }

    @Test
    void shouldStayUsableWhenFull() throws IOException {
        Path directory = CLUSTER.workDirectory("full");
        CLUSTER.shell(Duration.ofMinutes(2), directory, """
                echo precious >precious; sync -f .
                mkdir fill
                ! cat /dev/zero 2>error >fill/big
                grep -q 'No space left' error
                rm error 2>/dev/null || true
                i=0; while [ $i -lt 2000 ] && head -c 100000 /dev/zero 2>/dev/null >fill/s$i; do i=$((i + 1)); done
                test "$(cat precious)" = precious
                rm -rf fill
                sync -f .
                head -c 100000000 /dev/zero >again
                rm again
                """);
        CLUSTER.node().expectCleanFsck();
    }
}
