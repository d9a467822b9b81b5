package io.tesserafs.node.daemon;

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.logging.ErrorManager;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import org.jspecify.annotations.Nullable;

/**
 * A log file that keeps its name: when it is full it becomes FILE.1, and FILE.1 becomes FILE.2, and so on. (The JDK's FileHandler
 * puts a number on the newest file too and leaves lock files behind.) Each record is in the file when publish returns.
 */
final class RotatingFileHandler extends Handler {
    private final Path file;
    private final long maxBytes;
    private final int files;
    private @Nullable OutputStream output;
    private long written;

    RotatingFileHandler(Path file, long maxBytes, int files) throws IOException {
        this.file = file;
        this.maxBytes = maxBytes;
        this.files = files;
        Path directory = file.getParent();
        if (directory != null) {
            Files.createDirectories(directory);
        }
        open();
    }

    private void open() throws IOException {
        output = new FileOutputStream(file.toFile(), true);
        written = Files.size(file);
    }

    @Override
    public synchronized void publish(LogRecord record) {
        OutputStream current = output;
        if (current == null || !isLoggable(record)) {
            return;
        }
        try {
            byte[] line = getFormatter().format(record).getBytes(StandardCharsets.UTF_8);
            current.write(line);
            written += line.length;
            if (written >= maxBytes) {
                rotate(current);
            }
        } catch (IOException e) {
            reportError(file + " cannot be written", e, ErrorManager.WRITE_FAILURE);
        }
    }

    private void rotate(OutputStream full) throws IOException {
        output = null;
        full.close();
        for (int number = files - 1; number >= 1; number--) {
            Path older = number == 1 ? file : numbered(number - 1);
            if (Files.exists(older)) {
                Files.move(older, numbered(number), StandardCopyOption.REPLACE_EXISTING);
            }
        }
        if (files == 1) {
            Files.delete(file);
        }
        open();
    }

    private Path numbered(int number) {
        return file.resolveSibling(file.getFileName() + "." + number);
    }

    @Override
    public void flush() {
        // Nothing is buffered here.
    }

    @Override
    public synchronized void close() {
        OutputStream current = output;
        output = null;
        if (current != null) {
            try {
                current.close();
            } catch (IOException e) {
                reportError(file + " cannot be closed", e, ErrorManager.CLOSE_FAILURE);
            }
        }
    }
}
