package io.tesserafs.cluster;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;

/**
 * Network namespaces with an address each, joined by a bridge that lies in a namespace of its own, so that the host's network sees nothing
 * of it and two of these never meet. Programs run in a namespace by {@code nsenter --net}, which, unlike {@code ip netns exec}, leaves
 * their mounts visible to the test.
 *
 * <p>Each place has a name and a number from 1; its interface is {@code eth0}, the other end of the cable {@code pN} on the bridge. Faults
 * are made with what every kernel has: queueing disciplines that drop all, and false neighbour entries.
 */
final class NetLinks implements AutoCloseable {
    private static final String PREFIX = "tessera-";
    private static final String SWITCH = "switch";
    private static final Path NAMESPACES = Path.of("/run/netns");
    private static final String NETWORK = "10.77.0.";

    /** An address that no interface has. */
    private static final String NOBODY = "02:00:00:00:ff:ff";

    private static final Duration LIMIT = Duration.ofSeconds(20);

    /** For a queue of a link made slow: more than this waiting is dropped. */
    private static final String SLOW_LATENCY = "200ms";

    private static final String SLOW_BURST = "16kb";

    private static final AtomicInteger COUNT = new AtomicInteger();

    private final String name;
    private final Command commands;
    private final List<Place> places = new ArrayList<>();
    private final Thread atExit = new Thread(this::deleteNamespaces, "delete network namespaces");

    /** One end of a cable. */
    final class Place {
        private final String placeName;
        private final int number;

        private Place(String placeName, int number) {
            this.placeName = placeName;
            this.number = number;
        }

        String address() {
            return NETWORK + number;
        }

        String namespace() {
            return name + "-" + placeName;
        }

        private String port() {
            return "p" + number;
        }

        /** The command that runs {@code command} here; it has the same process id. */
        List<String> inside(List<String> command) {
            List<String> all = new ArrayList<>(List.of("nsenter", "--net=" + NAMESPACES.resolve(namespace()), "--"));
            all.addAll(command);
            return all;
        }

        /** Pulls the cable. */
        void down() {
            ip(switchNamespace(), "link", "set", port(), "down");
        }

        /** Nothing that is sent here arrives anywhere; what others send arrives. */
        void mute() {
            discipline(namespace(), "eth0", "blackhole");
        }

        /** Nothing that others send arrives here; what is sent here arrives. */
        void deafen() {
            discipline(switchNamespace(), port(), "blackhole");
        }

        /** What is sent here to {@code other} gets lost, and nothing else. */
        void loseTo(Place other) {
            ip(namespace(), "neigh", "replace", other.address(), "lladdr", NOBODY, "nud", "permanent", "dev", "eth0");
        }

        /** Makes both directions slow; what does not fit a short queue is lost. */
        void slow(int kilobitPerSecond) {
            for (String[] end : new String[][] {{namespace(), "eth0"}, {switchNamespace(), port()}}) {
                String rate = kilobitPerSecond + "kbit";
                discipline(end[0], end[1], "tbf", "rate", rate, "burst", SLOW_BURST, "latency", SLOW_LATENCY);
            }
        }

        /** Ends all faults of this link. */
        void heal() {
            ip(switchNamespace(), "link", "set", port(), "up");
            plain(namespace(), "eth0");
            plain(switchNamespace(), port());
            for (Place other : places) {
                if (other != this) {
                    tolerant("ip", "-n", namespace(), "neigh", "del", other.address(), "lladdr", NOBODY, "dev", "eth0");
                }
            }
        }
    }

    private NetLinks(String name, Command commands) {
        this.name = name;
        this.commands = commands;
    }

    /** Makes a place for each name. First removes what runs that have died left behind. */
    static NetLinks create(List<String> names, Command commands) {
        sweep(commands);
        NetLinks links = new NetLinks(PREFIX + ProcessHandle.current().pid() + "-" + COUNT.incrementAndGet(), commands);
        Runtime.getRuntime().addShutdownHook(links.atExit);
        try {
            links.build(names);
            return links;
        } catch (RuntimeException | AssertionError e) {
            links.close();
            throw e;
        }
    }

    List<Place> places() {
        return places;
    }

    private void build(List<String> names) {
        run("ip", "netns", "add", switchNamespace());
        ip(switchNamespace(), "link", "add", "br0", "type", "bridge");
        ip(switchNamespace(), "link", "set", "br0", "up");
        for (String placeName : names) {
            Place place = new Place(placeName, places.size() + 1);
            places.add(place);
            run("ip", "netns", "add", place.namespace());
            run("ip link add eth0 netns %s type veth peer name %s netns %s"
                    .formatted(place.namespace(), place.port(), switchNamespace())
                    .split(" "));
            ip(switchNamespace(), "link", "set", place.port(), "master", "br0", "up");
            ip(place.namespace(), "addr", "add", place.address() + "/24", "dev", "eth0");
            ip(place.namespace(), "link", "set", "lo", "up");
            ip(place.namespace(), "link", "set", "eth0", "up");
        }
    }

    private String switchNamespace() {
        return name + "-" + SWITCH;
    }

    private void ip(String namespace, String... arguments) {
        run(Stream.concat(Stream.of("ip", "-n", namespace), Stream.of(arguments))
                .toArray(String[]::new));
    }

    private void discipline(String namespace, String device, String... kind) {
        run(Stream.concat(Stream.of("tc", "-n", namespace, "qdisc", "replace", "dev", device, "root"), Stream.of(kind))
                .toArray(String[]::new));
    }

    private void plain(String namespace, String device) {
        tolerant("tc", "-n", namespace, "qdisc", "del", "dev", device, "root");
    }

    private void run(String... command) {
        tolerant(command).expectSuccess();
    }

    private Command.Result tolerant(String... command) {
        return commands.run(LIMIT, Path.of("/"), command);
    }

    /** Kills what still runs in the namespaces, and deletes them with all their interfaces. Idempotent. */
    @Override
    public void close() {
        deleteNamespaces();
        try {
            Runtime.getRuntime().removeShutdownHook(atExit);
        } catch (IllegalStateException ending) {
            // The hook runs already, and does the same.
            return;
        }
    }

    private void deleteNamespaces() {
        delete(commands, name + "-");
    }

    /** Removes the namespaces of processes that do not live any more. */
    private static void sweep(Command commands) {
        for (String namespace : namespaces(PREFIX)) {
            String pid = namespace.substring(PREFIX.length()).replaceAll("-.*", "");
            if (pid.matches("\\d+") && ProcessHandle.of(Long.parseLong(pid)).isEmpty()) {
                delete(commands, namespace);
            }
        }
    }

    private static void delete(Command commands, String prefix) {
        for (String namespace : namespaces(prefix)) {
            commands.run(LIMIT, Path.of("/"), "ip", "netns", "pids", namespace)
                    .output()
                    .lines()
                    .filter(line -> line.matches("\\d+"))
                    .forEach(pid -> ProcessHandle.of(Long.parseLong(pid)).ifPresent(ProcessHandle::destroyForcibly));
            commands.run(LIMIT, Path.of("/"), "ip", "netns", "del", namespace).expectSuccess();
        }
    }

    static List<String> namespaces(String prefix) {
        if (!Files.isDirectory(NAMESPACES)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(NAMESPACES)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(file -> file.startsWith(prefix))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** What the names of its namespaces begin with. */
    String prefix() {
        return name + "-";
    }
}
