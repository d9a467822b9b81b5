package io.tesserafs.coherence.membership;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HexFormat;
import java.util.Optional;
import java.util.UUID;

/** A server in a temporary directory, and clients that are closed with it. */
public final class ZooKeeperFixture implements AutoCloseable {
    /** No test waits for the end of a session that is silent; and none shall end because the machine stalls. */
    private static final int SESSION_MS = 30_000;

    public final EmbeddedZooKeeper server;
    private final Deque<ClusterClient> clients = new ArrayDeque<>();

    public ZooKeeperFixture(Path dir) throws IOException {
        server = EmbeddedZooKeeper.start(dir, 0, () -> {});
    }

    public ClusterClient connect() throws MembershipException {
        return connect("test", null);
    }

    public ClusterClient connect(String cluster, UUID expected) throws MembershipException {
        return connect(cluster, expected, Optional.empty());
    }

    public ClusterClient connect(String cluster, UUID expected, Optional<String> password) throws MembershipException {
        ClusterClient client = ClusterClient.connect(
                new ClusterConfig(server.connectString(), cluster, expected, password, SESSION_MS, 10_000));
        clients.push(client);
        return client;
    }

    /** Incarnation of a process that is dead: process ids end well below. */
    public static Incarnation dead(int secret) throws IOException {
        Incarnation here = here(secret);
        return new Incarnation(here.identity(), here.host(), here.bootId(), 0x7FFF_FFF0L, 1);
    }

    public static Incarnation here(int secret) throws IOException {
        return Incarnation.current(HexFormat.of().parseHex("%064x".formatted(secret)));
    }

    @Override
    public void close() throws IOException {
        clients.forEach(ClusterClient::close);
        server.close();
    }
}
