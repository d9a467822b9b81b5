package io.tesserafs.coherence.membership;

import java.io.File;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import org.apache.zookeeper.server.NIOServerCnxnFactory;
import org.apache.zookeeper.server.ServerCnxn;
import org.apache.zookeeper.server.ZKDatabase;
import org.apache.zookeeper.server.ZooKeeperServer;
import org.apache.zookeeper.server.persistence.FileTxnSnapLog;

/**
 * A ZooKeeper server in this process, for clusters on one machine: on disk, on the loopback interface only, small.
 *
 * <p>What it acknowledged survives the process and the host (it syncs its log before it answers). No JMX beans, no admin server;
 * of the "four letter words" only {@code srvr}, which ZooKeeper does not let one turn off. A second server on the same directory is
 * refused. Thread-safe.
 *
 * <p>ZooKeeper reads its tuning from system properties when its classes load; this class sets those that were not given on the
 * command line, so it must be loaded before any other part of ZooKeeper's server.
 */
public final class EmbeddedZooKeeper implements AutoCloseable {
    /** Unit of session expiry, ms. Small, so that sessions may be short. */
    private static final int TICK_MS = 500;

    private static final int MIN_SESSION_MS = 2 * TICK_MS;
    private static final int MAX_SESSION_MS = 60_000;

    /** Connections at a time: each node holds one, the command line one more now and then. */
    private static final int MAX_CONNECTIONS = 1000;

    private static final int LISTEN_BACKLOG = 50;

    static {
        propose("zookeeper.preAllocSize", "64"); // KiB; a log of a single machine is tiny
        propose("zookeeper.snapCount", "10000"); // transactions between snapshots: bounds replay to well below a second
        propose("zookeeper.commitLogCount", "16"); // kept for followers, of which there are none
        propose("zookeeper.nio.numSelectorThreads", "1");
        propose("zookeeper.nio.numWorkerThreads", "0"); // the selector thread does the work
        propose("zookeeper.nio.shutdownTimeout", "1000"); // ms
        propose("zookeeper.maxResponseCacheSize", "0");
        propose("zookeeper.maxGetChildrenResponseCacheSize", "0");
        propose("zookeeper.admin.enableServer", "false");
        propose("zookeeper.4lw.commands.whitelist", "srvr");
    }

    private final ZooKeeperDirectory directory;
    private final FileTxnSnapLog storage;
    private final Server server;
    private final ConnectionFactory connections;
    private boolean closed;

    private EmbeddedZooKeeper(
            ZooKeeperDirectory directory, FileTxnSnapLog storage, Server server, ConnectionFactory connections) {
        this.directory = directory;
        this.storage = storage;
        this.server = server;
        this.connections = connections;
    }

    /**
     * Starts a server and returns when it serves.
     *
     * @param dir its directory, made if missing
     * @param port a port, or 0 for the one used last (or any that is free, then remembered)
     * @param onFailure called on a thread of ZooKeeper's if the server stops by itself, say because the disk is full
     * @throws MembershipException LOCAL: directory or port in use; DAMAGED: the log makes no sense
     */
    public static EmbeddedZooKeeper start(Path dir, int port, Runnable onFailure) throws IOException {
        ZooKeeperDirectory directory = ZooKeeperDirectory.open(dir);
        FileTxnSnapLog storage = null;
        ConnectionFactory connections = null;
        try {
            connections = bind(directory, port);
            File path = dir.toFile();
            storage = new FileTxnSnapLog(path, path);
            Server server = new Server(storage, onFailure);
            connections.startup(server);
            directory.rememberPort(connections.getLocalPort());
            return new EmbeddedZooKeeper(directory, storage, server, connections);
        } catch (IOException | InterruptedException | RuntimeException e) {
            if (connections != null) {
                connections.shutdown();
            }
            if (storage != null) {
                storage.close();
            }
            directory.close();
            throw explain(e, dir);
        }
    }

    public int port() {
        return connections.getLocalPort();
    }

    /** For clients on this machine. */
    public String connectString() {
        return "127.0.0.1:" + port();
    }

    /** Ends a client's session as if it had timed out: its ephemeral entries go, and it finds out when it next speaks. */
    public void expire(long sessionId) {
        server.closeSession(sessionId);
    }

    /** Stops serving and closes the files. Sessions are not ended: they go on at the next start. Idempotent. */
    @Override
    public synchronized void close() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        server.stopped = true;
        server.shutdown(true);
        connections.shutdown();
        storage.close();
        directory.close();
    }

    private static void propose(String property, String value) {
        if (System.getProperty(property) == null) {
            System.setProperty(property, value);
        }
    }

    private static ConnectionFactory bind(ZooKeeperDirectory directory, int port) throws IOException {
        int remembered = port == 0 ? directory.rememberedPort() : 0;
        if (remembered != 0) {
            try {
                return bind(remembered);
            } catch (BindException taken) {
                return bind(0); // another program has it now; clients learn the new one from connectString()
            }
        }
        try {
            return bind(port);
        } catch (BindException e) {
            throw new MembershipException(
                    MembershipException.Reason.LOCAL, "Port " + port + " for ZooKeeper is in use", e);
        }
    }

    private static ConnectionFactory bind(int port) throws IOException {
        ConnectionFactory factory = new ConnectionFactory();
        InetAddress loopback = InetAddress.getByAddress("localhost", new byte[] {127, 0, 0, 1});
        factory.configure(new InetSocketAddress(loopback, port), MAX_CONNECTIONS, LISTEN_BACKLOG, false);
        return factory;
    }

    private static IOException explain(Exception e, Path dir) {
        if (e instanceof MembershipException known) {
            return known;
        }
        if (e instanceof InterruptedException) {
            Thread.currentThread().interrupt();
            return new MembershipException(
                    MembershipException.Reason.INTERRUPTED, "Interrupted while ZooKeeper started", e);
        }
        return new MembershipException(
                MembershipException.Reason.DAMAGED, "ZooKeeper cannot start on " + dir + ": " + e.getMessage(), e);
    }

    /** Without JMX, and telling when it fails. */
    private static final class Server extends ZooKeeperServer {
        private final Runnable onFailure;
        private volatile boolean stopped;

        Server(FileTxnSnapLog storage, Runnable onFailure) {
            super(storage, TICK_MS, MIN_SESSION_MS, MAX_SESSION_MS, LISTEN_BACKLOG, new ZKDatabase(storage), "");
            this.onFailure = onFailure;
        }

        @Override
        protected void setState(State state) {
            super.setState(state);
            if (state == State.ERROR && !stopped) {
                onFailure.run();
            }
        }

        @Override
        protected void registerJMX() {
            // No beans: the platform's bean server costs memory and start-up time, and nobody looks at them.
        }

        @Override
        protected void unregisterJMX() {
            // None were registered.
        }
    }

    /** Without JMX. */
    private static final class ConnectionFactory extends NIOServerCnxnFactory {
        @Override
        public void registerConnection(ServerCnxn connection) {
            // No bean per connection.
        }

        @Override
        public void unregisterConnection(ServerCnxn connection) {
            // None was registered.
        }
    }
}
