package io.tesserafs.node.admin;

import io.tesserafs.node.admin.AdminException.Code;
import io.tesserafs.node.admin.AdminProtocol.AdminRequest;
import io.tesserafs.node.admin.AdminProtocol.LineReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import jdk.net.ExtendedSocketOptions;
import jdk.net.UnixDomainPrincipal;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves the admin protocol. Only the daemon's own user and root are heard: the socket's mode says so, and since it is set a
 * moment after the socket appears, every connection's credentials are checked too.
 */
public final class AdminServer implements AutoCloseable {
    /** Far more than people and monitors open at once; keeps a runaway script from taking all file descriptors. */
    private static final int MAX_CONNECTIONS = 64;

    private static final long ACCEPT_RETRY_MS = 1000;

    /** The shutdown command is answered by the daemon that it stops. */
    private static final long ANSWER_GRACE_MS = 1000;

    private static final Logger LOG = LoggerFactory.getLogger(AdminServer.class);

    private final Path socket;
    private final ServerSocketChannel listener;
    private final AdminDispatcher commands;
    private final String owner;
    /** One permit per request under way. */
    private final Semaphore inFlight = new Semaphore(MAX_CONNECTIONS);

    private final Set<SocketChannel> connections = ConcurrentHashMap.newKeySet();

    private AdminServer(Path socket, ServerSocketChannel listener, AdminDispatcher commands, String owner) {
        this.socket = socket;
        this.listener = listener;
        this.commands = commands;
        this.owner = owner;
    }

    /**
     * Binds the socket and serves until closed. A socket file left behind is replaced: the caller holds the lock of the state
     * directory, so no other daemon can be behind it.
     */
    public static AdminServer start(Path socket, Map<String, AdminHandler> handlers) throws IOException {
        Files.deleteIfExists(socket);
        ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            listener.bind(UnixDomainSocketAddress.of(socket));
            Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-------"));
            String owner = Files.getOwner(socket).getName();
            AdminDispatcher commands = new AdminDispatcher(handlers, AdminProtocol.MAX_ANSWER_BYTES);
            AdminServer server = new AdminServer(socket, listener, commands, owner);
            Thread.ofVirtual().name("admin-accept").start(server::accept);
            return server;
        } catch (IOException e) {
            listener.close();
            throw e;
        }
    }

    private void accept() {
        while (listener.isOpen()) {
            try {
                SocketChannel channel = listener.accept();
                connections.add(channel);
                Thread.ofVirtual().name("admin-connection").start(() -> serve(channel));
            } catch (ClosedChannelException e) {
                return; // The server was closed.
            } catch (IOException e) {
                LOG.warn("accepting an admin connection failed; trying again", e);
                pauseAfterFailure();
            }
        }
    }

    /** Out of file descriptors, most likely: without a pause the loop would spin. */
    private static void pauseAfterFailure() {
        try {
            Thread.sleep(ACCEPT_RETRY_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void serve(SocketChannel channel) {
        try (channel) {
            if (connections.size() > MAX_CONNECTIONS) {
                AdminProtocol.write(channel, AdminProtocol.failure(Code.BUSY, "too many connections"));
                return;
            }
            if (!trusted(channel)) {
                AdminProtocol.write(channel, AdminProtocol.failure(Code.UNAVAILABLE, "not your daemon"));
                return;
            }
            LineReader lines = new LineReader(channel, AdminProtocol.MAX_REQUEST_BYTES);
            boolean more = true;
            while (more) {
                more = serveOne(channel, lines);
            }
        } catch (ClosedChannelException e) {
            LOG.debug("connection closed while in use", e);
        } catch (IOException e) {
            LOG.debug("admin connection lost", e);
        } finally {
            connections.remove(channel);
        }
    }

    private boolean trusted(SocketChannel channel) throws IOException {
        @Nullable UnixDomainPrincipal peer = channel.getOption(ExtendedSocketOptions.SO_PEERCRED);
        return peer != null
                && (peer.user().getName().equals(owner) || peer.user().getName().equals("root"));
    }

    /** False ends the connection. */
    private boolean serveOne(SocketChannel channel, LineReader lines) throws IOException {
        byte[] line;
        AdminRequest request;
        try {
            line = lines.next();
            if (line == null) {
                return false;
            }
            request = AdminProtocol.parseRequest(line);
        } catch (AdminException e) {
            AdminProtocol.write(channel, AdminProtocol.failure(e.code(), e.getMessage()));
            return false;
        }
        inFlight.acquireUninterruptibly();
        try {
            AdminProtocol.write(channel, commands.answer(request));
        } finally {
            inFlight.release();
        }
        return true;
    }

    /** Stops listening, lets requests under way get their answer (for a moment), and ends all connections. */
    @Override
    public void close() throws IOException {
        listener.close();
        try {
            if (!inFlight.tryAcquire(MAX_CONNECTIONS, ANSWER_GRACE_MS, TimeUnit.MILLISECONDS)) {
                LOG.info("closing the admin socket while a command is under way; its answer is lost");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        for (SocketChannel channel : connections) {
            channel.close();
        }
        Files.deleteIfExists(socket);
    }
}
