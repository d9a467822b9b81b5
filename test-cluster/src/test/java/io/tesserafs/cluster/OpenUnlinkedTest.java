package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A file that one node has open while another one takes its name: it goes on until it is closed. */
@Tag("cluster")
class OpenUnlinkedTest {
    private static final String BEFORE = "written while it had a name; ";
    private static final String AFTER = "written when it had none";

    @RegisterExtension
    static final TestCluster CLUSTER =
            TestCluster.ofNodes("open-unlinked", "1G").patient();

    private static FileChannel open(Path file) throws IOException {
        return FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE);
    }

    private static void write(FileChannel to, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            to.write(bytes);
        }
        to.force(true);
    }

    private static String content(FileChannel of) throws IOException {
        byte[] content = new byte[(int) of.size()];
        int at = 0;
        int read = 0;
        while (at < content.length && read >= 0) {
            read = of.read(ByteBuffer.wrap(content, at, content.length - at), at);
            at += Math.max(0, read);
        }
        return new String(content, StandardCharsets.UTF_8);
    }

    @Test
    void shouldGoOnAfterAnotherNodeUnlinkedIt() throws IOException {
        List<Path> directories = CLUSTER.workDirectories("unlinked", 2);
        for (int opener = 0; opener < 2; opener++) {
            Path opened = directories.get(opener).resolve("file");
            Path other = directories.get(1 - opener).resolve("file");
            try (FileChannel channel = open(opened)) {
                write(channel, BEFORE);
                Files.delete(other);
                assertThat(opened).doesNotExist();
                write(channel, AFTER);
                assertThat(content(channel)).isEqualTo(BEFORE + AFTER);
            }
        }
    }

    @Test
    void shouldGoOnAfterAnotherNodePutAFileInItsPlace() throws IOException {
        List<Path> directories = CLUSTER.workDirectories("replaced", 2);
        for (int opener = 0; opener < 2; opener++) {
            Path opened = directories.get(opener).resolve("file");
            Path other = directories.get(1 - opener);
            try (FileChannel channel = open(opened)) {
                write(channel, BEFORE);
                Files.writeString(other.resolve("new"), "another");
                Files.move(other.resolve("new"), other.resolve("file"), StandardCopyOption.REPLACE_EXISTING);
                assertThat(opened).hasContent("another");
                write(channel, AFTER);
                assertThat(content(channel)).isEqualTo(BEFORE + AFTER);
            }
            Files.delete(opened);
        }
    }
}
