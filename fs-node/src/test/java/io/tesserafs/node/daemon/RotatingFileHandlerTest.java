package io.tesserafs.node.daemon;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RotatingFileHandlerTest {
    @TempDir
    Path dir;

    @Test
    void shouldKeepTheNewestUnderThePlainNameAndOnlySoManyFiles() throws Exception {
        Path file = dir.resolve("log/t.log");
        RotatingFileHandler handler = new RotatingFileHandler(file, 300, 3);
        handler.setFormatter(new DaemonLogging.LineFormatter());
        for (int i = 0; i < 40; i++) {
            handler.publish(new LogRecord(Level.INFO, "record number " + i));
        }
        handler.close();
        try (var files = Files.list(file.getParent())) {
            assertThat(files.map(path -> path.getFileName().toString()))
                    .containsExactlyInAnyOrder("t.log", "t.log.1", "t.log.2");
        }
        String newest = Files.readString(file).isEmpty()
                ? Files.readString(dir.resolve("log/t.log.1"))
                : Files.readString(file);
        assertThat(newest).contains("record number 39");
        assertThat(Files.size(dir.resolve("log/t.log.1"))).isBetween(300L, 500L);
    }

    @Test
    void shouldAppendToWhatIsThere() throws Exception {
        Path file = dir.resolve("t.log");
        Files.writeString(file, "before\n");
        RotatingFileHandler handler = new RotatingFileHandler(file, 1 << 20, 1);
        handler.setFormatter(new DaemonLogging.LineFormatter());
        handler.publish(new LogRecord(Level.WARNING, "after"));
        handler.close();
        assertThat(Files.readString(file))
                .startsWith("before\n")
                .contains("WARN")
                .endsWith("after\n");
    }
}
