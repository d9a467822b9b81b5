package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.node.config.NodeConfig.PoolConfig;
import io.tesserafs.node.config.NodeConfigWriter;
import io.tesserafs.node.config.Size;
import io.tesserafs.node.daemon.NodeLayout;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A cluster for one test class. Before the first test its nodes start; when a test fails, their logs and stacks are kept; after the
 * last, everything is stopped, and mounts or processes that are left fail the class.
 *
 * <p>The nodes share the machine's network, unless they are to be {@link #apart}: then each has a network of its own, in which there can
 * be faults.
 */
final class TestCluster implements BeforeAllCallback, AfterEachCallback, AfterAllCallback {
    private static final int NODES = Integer.getInteger("tessera.nodes", 2);

    private final String name;
    private final String poolSize;
    private final boolean startNodes;
    private final int nodeCount;
    private final boolean apart;
    private Times times = Times.DEFAULT;
    private Path directory = Path.of("/nonexistent");
    private Path scratch = directory;
    private List<? extends TestNode> nodes = List.of();
    private Optional<NetNodes> network = Optional.empty();
    private Optional<Command> commands = Optional.empty();

    private TestCluster(String name, String poolSize, boolean startNodes, int nodeCount, boolean apart) {
        this.name = name;
        this.poolSize = poolSize;
        this.startNodes = startNodes;
        this.nodeCount = nodeCount;
        this.apart = apart;
    }

    /** One node, running when the first test starts. */
    static TestCluster oneNode(String name, String poolSize) {
        return new TestCluster(name, poolSize, true, 1, false);
    }

    /** As many nodes as {@code -Dtessera.nodes} says, apart with {@code -Dtessera.apart=true}; running when the first test starts. */
    static TestCluster ofNodes(String name, String poolSize) {
        return new TestCluster(name, poolSize, true, NODES, Boolean.getBoolean("tessera.apart"));
    }

    /** So many nodes on the machine's network, running when the first test starts. */
    static TestCluster together(String name, String poolSize, int nodes) {
        return new TestCluster(name, poolSize, true, nodes, false);
    }

    /** Nodes with a network each, running when the first test starts. */
    static TestCluster apart(String name, String poolSize, int nodes) {
        return new TestCluster(name, poolSize, true, nodes, true);
    }

    /** One node, which the test starts. */
    static TestCluster stopped(String name, String poolSize) {
        return new TestCluster(name, poolSize, false, 1, false);
    }

    /**
     * How long nodes may be silent.
     *
     * @param leaseTerm of the sessions with a volume
     * @param sessionTimeout of the sessions with ZooKeeper, but for the node that runs it
     */
    record Times(Duration leaseTerm, Duration sessionTimeout) {
        /** Those of a node that is not told otherwise. */
        static final Times DEFAULT = new Times(Duration.ofSeconds(7), Duration.ofSeconds(4));

        /** The longest there are. */
        static final Times PATIENT = new Times(Duration.ofSeconds(30), Duration.ofSeconds(20));

        /** What a node's configuration has under {@code coordination}. */
        String yaml() {
            return "  leaseTerm: %ds\n  sessionTimeout: %ds\n"
                    .formatted(leaseTerm.toSeconds(), sessionTimeout.toSeconds());
        }
    }

    /** For tests without faults: nodes outlive that the machine stalls, for longer than nodes otherwise do. */
    TestCluster patient() {
        times = Times.PATIENT;
        return this;
    }

    /**
     * For tests with faults: leases so long that applications on the other nodes outlive that the machine stalls, and so short that the test can wait for the
     * end of one. From 7 to 30 seconds.
     */
    TestCluster lease(Duration term) {
        assertThat(term).isBetween(Times.DEFAULT.leaseTerm(), Times.PATIENT.leaseTerm());
        times = new Times(term, Times.DEFAULT.sessionTimeout());
        return this;
    }

    /** The first node. */
    TestNode node() {
        return nodes.getFirst();
    }

    List<? extends TestNode> nodes() {
        return nodes;
    }

    /** The nodes of a cluster that is {@link #apart}, and its faults. */
    NetNodes network() {
        return network.orElseThrow();
    }

    /** What holds the nodes' state directories. */
    Path directory() {
        return directory;
    }

    /** A directory outside the mount, deleted in the end. */
    Path scratch() {
        return scratch;
    }

    Command commands() {
        return commands.orElseThrow();
    }

    /** Asks every node. */
    void expectCleanFsck() {
        nodes.forEach(TestNode::expectCleanFsck);
    }

    /** A new directory in the mount. */
    Path workDirectory(String prefix) {
        try {
            return Files.createTempDirectory(node().mount(), prefix);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A new directory, as {@code count} processes on different nodes see it; they share nodes where there are fewer of these. */
    List<Path> workDirectories(String prefix, int count) {
        Path made = workDirectory(prefix).getFileName();
        return IntStream.range(0, count)
                .mapToObj(i -> nodes.get(i % nodes.size()).mount().resolve(made))
                .toList();
    }

    /** Runs a program in {@code where}; it must succeed. */
    Command.Result run(Duration limit, Path where, String... command) {
        return commands().run(limit, where, command).expectSuccess();
    }

    /** Runs a shell script in {@code where}; all of its commands must succeed. */
    Command.Result shell(Duration limit, Path where, String script) {
        return commands().shell(limit, where, script).expectSuccess();
    }

    @Override
    public void beforeAll(ExtensionContext context) {
        directory = TestDirectories.inMemory(apart ? NetNodes.directoryName(name) : name);
        scratch = TestDirectories.onDisk(name);
        Command runner = new Command(scratch, this::unhang);
        commands = Optional.of(runner);
        if (apart) {
            NetNodes.sweep(directory.toAbsolutePath().getParent(), runner);
            NetNodes made = new NetNodes(nodeCount, directory, poolSize, times, runner);
            network = Optional.of(made);
            nodes = made.nodes();
            made.start();
            return;
        }
        nodes = IntStream.rangeClosed(1, nodeCount)
                .mapToObj(i -> new TestNode(i, directory, poolSize, nodeCount, runner))
                .toList();
        if (!times.equals(Times.DEFAULT)) {
            writeConfigs();
        }
        if (startNodes) {
            node().start();
        }
    }

    /** As {@code tessera up} would write them, but for these times. */
    private void writeConfigs() {
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            for (TestNode node : nodes) {
                NodeLayout layout = NodeLayout.of(directory, node.number());
                Files.createDirectories(layout.dir());
                NodeConfigWriter.write(
                        layout.config(),
                        node.number(),
                        layout.dir(),
                        new PoolConfig(layout.pool(), Size.parse(poolSize)),
                        layout.mount(),
                        new NodeConfigWriter.Local(
                                free.getLocalPort(),
                                node.number() == 1,
                                NodeLayout.of(directory, 1).secret()));
                String text = Files.readString(layout.config());
                // The node that runs ZooKeeper has a timeout of its own, which is longer than ours.
                String ours =
                        node.number() == 1 ? times.yaml().replaceAll("(?m)^ *sessionTimeout.*\n", "") : times.yaml();
                String changed = text.replaceAll("(?m)^ *sessionTimeout.*\n", "")
                        .replace("coordination:\n", "coordination:\n" + ours);
                assertThat(changed).contains(ours);
                Files.writeString(layout.config(), changed);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void afterEach(ExtensionContext context) throws IOException, InterruptedException {
        if (context.getExecutionException().isPresent()) {
            String test = context.getRequiredTestClass().getSimpleName() + "."
                    + context.getDisplayName().replaceAll("[^A-Za-z0-9]+", "-").toLowerCase(Locale.ROOT);
            keepLogs(test);
        }
    }

    private void keepLogs(String test) throws IOException, InterruptedException {
        for (TestNode node : nodes) {
            Path logs = Path.of("target", "failed-nodes", test);
            node.collectLogs(
                    nodeCount == 1 ? logs : logs.resolve(node.directory().getFileName()));
        }
    }

    /** A program did not end: keep what the daemon was doing, then free everything that waits for it. */
    private void unhang() {
        try {
            keepLogs(name + "-hung");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        Mounts.abortBelow(directory);
    }

    @Override
    public void afterAll(ExtensionContext context) throws IOException {
        try {
            network.ifPresent(NetNodes::stop);
            if (!apart && (node().runs() || !Mounts.below(directory).isEmpty())) {
                node().stop();
            }
            assertThat(Mounts.below(directory)).as("mounts left behind").isEmpty();
            network.ifPresent(NetNodes::stopZooKeeper);
            assertThat(processesNaming(directory)).as("processes left behind").isEmpty();
        } finally {
            cleanUp();
        }
    }

    private void cleanUp() throws IOException {
        network.ifPresent(NetNodes::close);
        for (long pid : processesNaming(directory)) {
            ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
        }
        Mounts.abortBelow(directory);
        for (Mounts.Mount mount : Mounts.below(directory)) {
            new Command(scratch, () -> {})
                    .run(
                            Duration.ofSeconds(20),
                            scratch,
                            "umount",
                            "-l",
                            mount.point().toString());
        }
        TestDirectories.delete(directory);
        TestDirectories.delete(scratch);
    }

    /** Processes with this directory in their command line: daemons, and programs started by a test. */
    private static List<Long> processesNaming(Path directory) throws IOException {
        try (Stream<Path> processes = Files.list(Path.of("/proc"))) {
            return processes
                    .filter(path -> path.getFileName().toString().matches("\\d+"))
                    .filter(path -> names(path, directory))
                    .map(path -> Long.parseLong(path.getFileName().toString()))
                    .toList();
        }
    }

    private static boolean names(Path process, Path directory) {
        try {
            return new String(Files.readAllBytes(process.resolve("cmdline")), StandardCharsets.ISO_8859_1)
                    .contains(directory + "/");
        } catch (IOException e) {
            return false; // It ended while we looked.
        }
    }
}
