package io.tesserafs.node.doctor;

import io.tesserafs.coherence.membership.ClusterConfig;
import io.tesserafs.coherence.membership.ClusterView;
import io.tesserafs.coherence.membership.MembershipException;
import io.tesserafs.coherence.membership.NodeInfo;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.fabric.pmem.PoolException;
import io.tesserafs.node.config.NodeConfig;
import io.tesserafs.node.daemon.ClusterSecret;
import io.tesserafs.node.daemon.StartException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/** The cluster's ZooKeeper, what it knows of the cluster, and whether the other nodes can be reached. */
final class ClusterCheck implements Check {
    private static final int CONNECT_TIMEOUT_MS = 5000;
    private static final int SESSION_TIMEOUT_MS = 4000;

    /** Beyond this an election, and so the pause after an owner's death, gets noticeably longer. */
    private static final Duration SLOW = Duration.ofMillis(100);

    /** Purpose of a node's endpoint for other nodes, and how it is written. */
    private static final String ENDPOINT = "fabric";

    private static final String SCHEME = "tcp://";

    /** What came of trying to reach a node. */
    private record Peer(
            Verdict verdict, String fact, @Nullable String remedy) {}

    private final Subject subject;
    private final NodeConfig config;
    private final Set<String> dormant;

    /** @param dormant servers that are known to be down because the nodes that run them are */
    ClusterCheck(Subject subject, Set<String> dormant) {
        this.subject = subject;
        this.config = subject.config();
        this.dormant = dormant;
    }

    @Override
    public String part() {
        return "cluster";
    }

    @Override
    public void examine(Report report) throws IOException {
        List<String> servers = Addresses.servers(config);
        if (servers.isEmpty()) {
            if (!subject.runs()) {
                report.info("zookeeper", "ZooKeeper is embedded and starts with the daemon");
                return;
            }
            servers = embedded();
        }
        if (dormant.containsAll(servers)) {
            report.info(
                    "zookeeper", "ZooKeeper at " + String.join(",", servers) + " starts with the node that runs it");
        } else if (ensemble(servers, report)) {
            cluster(String.join(",", servers), report);
        }
    }

    /** The server in the daemon, whose port it has written down. */
    private List<String> embedded() throws IOException {
        int port = config.coordination().port();
        Path written = config.coordination().dataDir().resolve("client.port");
        return List.of("127.0.0.1:" + (port == 0 ? Files.readString(written).strip() : port));
    }

    /** Returns whether it can be used. */
    private boolean ensemble(List<String> servers, Report report) {
        int serving = 0;
        for (String server : servers) {
            InetSocketAddress address = Addresses.of(server);
            if (address.isUnresolved()) {
                report.warn(
                        "server", "ZooKeeper " + server + ": there is no such host", "correct coordination.connect");
                continue;
            }
            try {
                ZooKeeperServer answer = ZooKeeperServer.ask(address);
                if (server(server, answer, report)) {
                    serving++;
                }
            } catch (IOException e) {
                report.warn(
                        "server",
                        "ZooKeeper " + server + " does not answer: " + e.getMessage(),
                        "start it, or open its port in firewalls");
            }
        }
        if (serving == 0) {
            report.fail(
                    "zookeeper",
                    "no ZooKeeper server can be used",
                    "start the servers of coordination.connect (a majority of the ensemble)");
        } else if (serving < servers.size()) {
            report.warn(
                    "zookeeper",
                    serving + " of " + servers.size() + " ZooKeeper servers can be used",
                    "bring the others back: without a majority nodes cannot join and volumes find no owner");
        } else {
            report.ok(
                    "zookeeper",
                    servers.size() == 1
                            ? "ZooKeeper can be used (one server, no ensemble)"
                            : "all " + servers.size() + " ZooKeeper servers can be used");
        }
        return serving > 0;
    }

    private static boolean server(String name, ZooKeeperServer answer, Report report) {
        String fact = "ZooKeeper " + name + " answers in " + ms(answer.took())
                + (answer.mode().isEmpty() ? "" : ", " + answer.mode());
        if (!answer.serves()) {
            report.warn(
                    "server",
                    "ZooKeeper " + name + " is up but does not serve: it has no majority",
                    "start more of its ensemble");
        } else if (answer.took().compareTo(SLOW) > 0) {
            report.warn(
                    "server",
                    fact + ": slow",
                    "look at its disk (fsync of its log) and the network; give it a disk of its own");
        } else {
            report.ok("server", fact);
        }
        return answer.serves();
    }

    private static String ms(Duration time) {
        return "%.1f ms".formatted(time.toNanos() / 1e6);
    }

    private void cluster(String servers, Report report) throws IOException {
        Path secretFile = config.fabric().secretFile();
        if (!Files.isReadable(secretFile)) {
            report.info("registry", "without the cluster's secret its nodes cannot be seen");
            return;
        }
        ClusterView view;
        try {
            view = ClusterView.read(new ClusterConfig(
                    servers,
                    config.coordination().cluster(),
                    null,
                    Optional.of(ClusterSecret.derive(ClusterSecret.load(secretFile), "zookeeper")),
                    SESSION_TIMEOUT_MS,
                    CONNECT_TIMEOUT_MS));
        } catch (StartException e) {
            report.fail("registry", String.valueOf(e.getMessage()), "copy the secret again from another node");
            return;
        } catch (MembershipException e) {
            report.fail(
                    "registry",
                    String.valueOf(e.getMessage()),
                    switch (e.reason()) {
                        case NOT_ALLOWED -> "copy " + secretFile + " from a node of the cluster";
                        case UNREACHABLE, UNSUITABLE -> "look at the ZooKeeper servers";
                        default -> "see whether coordination.connect and coordination.cluster are right";
                    });
            return;
        }
        if (identity(view, report)) {
            peers(view.nodes(), report);
        }
    }

    private boolean identity(ClusterView view, Report report) {
        String name = config.coordination().cluster();
        Optional<UUID> known = clusterOfPool();
        if (view.id().isEmpty()) {
            if (known.isPresent()) {
                report.fail(
                        "registry",
                        "ZooKeeper knows no cluster '" + name + "', but this node's pool belongs to one (" + known.get()
                                + ")",
                        "name the right servers in coordination.connect, or restore ZooKeeper's data");
            } else {
                report.info("registry", "ZooKeeper knows no cluster '" + name + "' yet; the first node makes it");
            }
            return false;
        }
        if (known.isPresent() && !known.equals(view.id())) {
            report.fail(
                    "registry",
                    "cluster '" + name + "' is " + view.id().get() + ", but this node's pool belongs to " + known.get(),
                    "correct coordination.connect or coordination.cluster, or give the node an empty pool");
            return false;
        }
        report.ok(
                "registry",
                "cluster '" + name + "' has " + view.nodes().size() + " nodes up"
                        + (known.isPresent() ? "" : "; this node has never been in it"));
        return true;
    }

    private Optional<UUID> clusterOfPool() {
        try {
            String cluster = Pool.describe(config.pool().path()).cluster();
            return cluster.isEmpty() ? Optional.empty() : Optional.of(UUID.fromString(cluster));
        } catch (PoolException | IllegalArgumentException e) {
            return Optional.empty(); // what is wrong with the pool is said by its own check
        }
    }

    private void peers(List<NodeInfo> nodes, Report report) {
        boolean registered = nodes.stream().anyMatch(node -> node.id().value() == subject.node());
        if (subject.runs() && !registered) {
            report.warn(
                    "membership",
                    "this node's daemon runs, but is not registered",
                    "it is starting or has lost ZooKeeper; see its log");
        } else if (!subject.runs() && registered) {
            report.warn(
                    "membership",
                    "node " + subject.node() + " is registered, though its daemon does not run here",
                    "wait for coordination.sessionTimeout if it just ended; else another host uses this number");
        }
        List<Future<Peer>> answers;
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            answers = nodes.stream()
                    .filter(node -> node.id().value() != subject.node())
                    .map(node -> threads.submit(() -> reach(node)))
                    .toList();
        }
        answers.stream()
                .map(Future::resultNow)
                .forEach(peer -> report.add("peer", peer.verdict(), peer.fact(), peer.remedy()));
    }

    private static Peer reach(NodeInfo node) {
        @Nullable String endpoint = node.endpoints().get(ENDPOINT);
        if (endpoint == null || !endpoint.startsWith(SCHEME)) {
            return new Peer(Verdict.INFO, "node " + node.id().value() + " is starting", null);
        }
        InetSocketAddress address = Addresses.of(endpoint.substring(SCHEME.length()));
        long begun = System.nanoTime();
        try (Socket socket = new Socket()) {
            socket.connect(address, CONNECT_TIMEOUT_MS);
            Duration took = Duration.ofNanos(System.nanoTime() - begun);
            return new Peer(
                    Verdict.OK, "node " + node.id().value() + " at " + endpoint + " is reached in " + ms(took), null);
        } catch (IOException e) {
            return new Peer(
                    Verdict.FAIL,
                    "node " + node.id().value() + " is up, but " + endpoint + " is not reached: " + e.getMessage(),
                    "open the port between the hosts; see fabric.listen and fabric.advertise of that node");
        }
    }
}
