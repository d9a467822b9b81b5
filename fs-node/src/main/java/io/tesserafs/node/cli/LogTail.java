package io.tesserafs.node.cli;

import io.tesserafs.node.daemon.NodeLayout;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The last lines a daemon wrote that say why it failed. */
final class LogTail {
    private static final int LINES = 12;
    private static final int MAX_BYTES = 32 << 10;

    private LogTail() {}

    /** What the JVM printed, and the end of the log, without stack frames. */
    static String of(NodeLayout layout) {
        String console = tail(layout.consoleFile());
        String log = tail(layout.logFile());
        String both = console.isEmpty() || log.isEmpty() ? console + log : console + "\n" + log;
        return both.isEmpty() ? "  (it wrote no log)" : both;
    }

    static String tail(Path file) {
        if (!Files.exists(file)) {
            return "";
        }
        try (RandomAccessFile input = new RandomAccessFile(file.toFile(), "r")) {
            long from = Math.max(0, input.length() - MAX_BYTES);
            byte[] bytes = new byte[(int) Math.min(MAX_BYTES, input.length() - from)];
            input.seek(from);
            input.readFully(bytes);
            List<String> lines = new String(bytes, StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> !line.isBlank() && !line.startsWith("\tat ") && !line.startsWith("\t... "))
                    .toList();
            return String.join("\n", lines.subList(Math.max(0, lines.size() - LINES), lines.size()))
                    .indent(2)
                    .stripTrailing();
        } catch (IOException e) {
            return "  (" + file + " cannot be read: " + e.getMessage() + ")";
        }
    }
}
