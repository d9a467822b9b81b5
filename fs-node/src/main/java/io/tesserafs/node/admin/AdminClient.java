package io.tesserafs.node.admin;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.node.admin.AdminProtocol.LineReader;
import java.io.EOFException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/** A connection to a daemon's admin socket. Not thread-safe. Never waits longer than asked. */
public final class AdminClient implements AutoCloseable {
    private final SocketChannel channel;
    private final LineReader lines;
    private final ScheduledExecutorService timer;

    private AdminClient(SocketChannel channel) {
        this.channel = channel;
        this.lines = new LineReader(channel, AdminProtocol.MAX_ANSWER_BYTES);
        this.timer = Executors.newSingleThreadScheduledExecutor(
                Thread.ofPlatform().daemon().name("admin-timeout").factory());
    }

    /** Connects. A Unix socket accepts at once or refuses: nobody listens when the daemon is gone. */
    public static AdminClient connect(Path socket) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            channel.connect(UnixDomainSocketAddress.of(socket));
            return new AdminClient(channel);
        } catch (IOException e) {
            channel.close();
            throw e;
        }
    }

    public static ObjectNode args() {
        return JsonNodeFactory.instance.objectNode();
    }

    /**
     * One request.
     *
     * @throws AdminException the daemon refused
     * @throws IOException the connection was lost, or no answer came in time (the connection is then closed)
     */
    public JsonNode call(String command, ObjectNode args, Duration timeout) throws IOException, AdminException {
        AtomicBoolean late = new AtomicBoolean();
        var alarm = timer.schedule(
                () -> {
                    late.set(true);
                    channel.close();
                    return true;
                },
                timeout.toMillis(),
                TimeUnit.MILLISECONDS);
        try {
            AdminProtocol.write(channel, AdminProtocol.request(command, args));
            byte[] line = lines.next();
            if (line == null) {
                throw new EOFException("the daemon closed the connection");
            }
            return AdminProtocol.parseAnswer(line);
        } catch (ClosedChannelException e) {
            if (late.get()) {
                throw new IOException("no answer to '" + command + "' within " + timeout.toSeconds() + " s", e);
            }
            throw e;
        } finally {
            alarm.cancel(false);
        }
    }

    @Override
    public void close() throws IOException {
        timer.shutdownNow();
        channel.close();
    }
}
