package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The nodes of a cluster in network namespaces of their own, and a ZooKeeper in another. Faults: {@link NetNode#kill}, {@link
 * NetNode#pause}, those of {@link NetNode#link()}, and {@link #stopZooKeeper}.
 */
final class NetNodes implements AutoCloseable {
    private static final int ZOOKEEPER_PORT = 2181;
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final long POLL_NS = Duration.ofMillis(100).toNanos();
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private final Path directory;
    private final Command commands;
    private final NetLinks links;
    private final NetLinks.Place zooKeeperPlace;
    private final List<NetNode> nodes;
    private Optional<Command.Running> zooKeeper = Optional.empty();

    /** Prepares them; nothing runs yet. */
    NetNodes(int count, Path directory, String poolSize, TestCluster.Times times, Command commands) {
        this.directory = directory;
        this.commands = commands;
        List<String> names = new ArrayList<>(
                IntStream.rangeClosed(1, count).mapToObj(i -> "node" + i).toList());
        names.add("zookeeper");
        links = NetLinks.create(names, commands);
        zooKeeperPlace = links.places().get(count);
        nodes = IntStream.rangeClosed(1, count)
                .mapToObj(i -> new NetNode(i, links.places().get(i - 1), directory, poolSize, commands))
                .toList();
        nodes.forEach(node -> node.writeConfig(zooKeeperPlace.address() + ":" + ZOOKEEPER_PORT, poolSize, times));
    }

    List<NetNode> nodes() {
        return nodes;
    }

    /** The cable of ZooKeeper. */
    NetLinks.Place zooKeeperLink() {
        return zooKeeperPlace;
    }

    /** The first node makes the cluster, then the others start together. */
    void start() {
        startZooKeeper();
        nodes.getFirst().start();
        nodes.forEach(NetNode::launch);
        nodes.forEach(node -> node.awaitReady().expectSuccess());
    }

    /** ZooKeeper's own server program; back when it takes connections. */
    void startZooKeeper() {
        Path config = directory.resolve("zookeeper.cfg");
        try {
            Files.writeString(config, """
                    dataDir=%s
                    clientPort=%d
                    tickTime=500
                    minSessionTimeout=1000
                    maxSessionTimeout=60000
                    maxClientCnxns=0
                    admin.enableServer=false
                    """.formatted(directory.resolve("zookeeper"), ZOOKEEPER_PORT));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        zooKeeper = Optional.of(inZooKeepersPlace(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Xmx128m",
                "-cp",
                System.getProperty("java.class.path"),
                "org.apache.zookeeper.server.ZooKeeperServerMain",
                config.toString())));
        String answers = "until (exec 3<>/dev/tcp/127.0.0.1/" + ZOOKEEPER_PORT + ") 2>/dev/null; do sleep 0.05; done";
        inZooKeepersPlace(List.of("bash", "-c", answers)).await(LIMIT).expectSuccess();
    }

    private Command.Running inZooKeepersPlace(List<String> command) {
        return commands.start(directory, zooKeeperPlace.inside(command).toArray(String[]::new));
    }

    /** SIGKILL; its data stays. */
    void stopZooKeeper() {
        zooKeeper.ifPresent(Command.Running::end);
        zooKeeper = Optional.empty();
    }

    /** Ends all faults; what was killed is started again. Back when all nodes are ready and reach each other, and their mounts have sessions. */
    void heal() {
        links.places().forEach(NetLinks.Place::heal);
        if (zooKeeper.isEmpty()) {
            startZooKeeper();
        }
        for (NetNode node : nodes) {
            if (node.runs()) {
                node.resume();
            } else {
                node.launch();
            }
        }
        nodes.forEach(node -> node.awaitReady().expectSuccess());
        awaitMembers();
        awaitSessions();
    }

    /** Back when every node counts all of them as members, and all answer it: before, commands that name a node may be refused. */
    private void awaitMembers() {
        long end = System.nanoTime() + LIMIT.toNanos();
        for (NetNode node : nodes) {
            Command.Result list = node.ask("node", "list", "--json");
            while (!showsAllReady(list)) {
                String last = list.output();
                assertThat(System.nanoTime())
                        .as(() -> "time when node " + node.number() + " did not see all nodes ready yet, but:\n" + last)
                        .isLessThan(end);
                LockSupport.parkNanos(POLL_NS);
                list = node.ask("node", "list", "--json");
            }
        }
    }

    private boolean showsAllReady(Command.Result list) {
        if (list.status() != 0) {
            return false;
        }
        try {
            JsonNode known = MAPPER.readTree(list.output());
            return known.size() == nodes.size()
                    && IntStream.range(0, known.size())
                            .allMatch(i -> known.get(i).path("state").asText().equals("ready"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** For a cluster without faults. Back when every mount has a session that can change names; a node that lost its own begins another by itself. */
    void awaitSessions() {
        for (NetNode node : nodes) {
            String probe = node.mount().resolve(".healed-" + node.number()).toString();
            commands.shell(
                            LIMIT,
                            directory,
                            "until mkdir -p " + probe + " && rmdir " + probe + "; do sleep 0.1; done 2>/dev/null")
                    .expectSuccess();
        }
    }

    /** The orderly end of all nodes. */
    void stop() {
        nodes.reversed().forEach(NetNode::stop);
    }

    /** Takes everything away, however it is. */
    @Override
    public void close() {
        Mounts.abortBelow(directory);
        links.close();
    }

    /** Unmounts and deletes what runs that have died left in {@code parent}. */
    static void sweep(Path parent, Command commands) {
        try (Stream<Path> entries = Files.list(parent)) {
            for (Path left : entries.filter(NetNodes::isLeftover).toList()) {
                Mounts.abortBelow(left);
                for (Mounts.Mount mount : Mounts.below(left)) {
                    commands.run(LIMIT, parent, "umount", "-l", mount.point().toString());
                }
                TestDirectories.delete(left);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** What a directory is called that {@link #sweep} may delete once this process is gone. */
    static String directoryName(String name) {
        return "net-" + ProcessHandle.current().pid() + "-" + name;
    }

    private static boolean isLeftover(Path entry) {
        String pid = entry.getFileName().toString().replaceAll("^tessera-net-(\\d{1,10})-.*$", "$1");
        return pid.matches("\\d{1,10}") && ProcessHandle.of(Long.parseLong(pid)).isEmpty();
    }
}
