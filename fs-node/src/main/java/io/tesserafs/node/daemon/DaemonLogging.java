package io.tesserafs.node.daemon;

import io.tesserafs.node.config.NodeConfig.LogConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.logging.ConsoleHandler;
import java.util.logging.Formatter;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/** Sets up java.util.logging, which is behind SLF4J: one line per record, to a rotated file or standard error. */
public final class DaemonLogging {
    /** They log each connection and each request at INFO. */
    private static final List<String> QUIET =
            List.of("org.apache.zookeeper", "org.apache.curator", "io.netty", "com.ibm.disni");

    /** Configured loggers are held here: the log manager keeps only weak references, and would forget their levels. */
    private static final List<Logger> HELD =
            QUIET.stream().map(Logger::getLogger).toList();

    private DaemonLogging() {}

    /** Replaces whatever was configured. */
    public static void configure(LogConfig config) throws IOException {
        LogManager.getLogManager().reset();
        Handler handler = config.file().isPresent()
                ? new RotatingFileHandler(config.file().get(), config.maxSize().bytes(), config.files())
                : new ConsoleHandler();
        handler.setFormatter(new LineFormatter());
        handler.setLevel(Level.ALL);
        Level level = Level.parse(config.level());
        Logger root = Logger.getLogger("");
        root.addHandler(handler);
        root.setLevel(level);
        if (level.intValue() >= Level.INFO.intValue()) {
            HELD.forEach(logger -> logger.setLevel(Level.WARNING));
        }
    }

    /** {@code 2026-01-31T12:00:00.123+01:00 INFO  [thread] Class: message}, a stack trace below it. */
    static final class LineFormatter extends Formatter {
        private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSSxxx");

        @Override
        public String format(LogRecord record) {
            StringBuilder line = new StringBuilder(160);
            TIME.formatTo(record.getInstant().atZone(ZoneId.systemDefault()), line);
            line.append(' ').append(name(record.getLevel()));
            line.append(" [").append(Thread.currentThread().getName()).append("] ");
            line.append(shortName(record.getLoggerName())).append(": ").append(formatMessage(record));
            line.append('\n');
            Throwable thrown = record.getThrown();
            if (thrown != null) {
                StringWriter trace = new StringWriter();
                thrown.printStackTrace(new PrintWriter(trace, true));
                line.append(trace);
            }
            return line.toString();
        }

        private static String name(Level level) {
            return level.intValue() >= Level.SEVERE.intValue()
                    ? "ERROR"
                    : level.intValue() >= Level.WARNING.intValue()
                            ? "WARN "
                            : level.intValue() >= Level.INFO.intValue() ? "INFO " : "DEBUG";
        }

        private static String shortName(@Nullable String logger) {
            return logger == null ? "?" : logger.substring(logger.lastIndexOf('.') + 1);
        }
    }
}
