package io.tesserafs.node.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.tesserafs.node.admin.AdminClient;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.Json;
import io.tesserafs.node.admin.NodeStatus;
import io.tesserafs.node.admin.PeerStatus;
import io.tesserafs.node.config.Size;
import io.tesserafs.node.daemon.DaemonProcess;
import io.tesserafs.node.daemon.NodeLayout;
import java.io.IOException;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tessera status}. */
@Command(
        name = "status",
        description = {"Show nodes, bricks, volumes and mounts. Exit status 3 if something does not run.", ""},
        footer = {
            "",
            "Examples:",
            "  tessera status",
            "  tessera status --json | jq '.nodes[0].volumes'",
            "  tessera status --socket /run/tessera/admin.sock    one node that 'up' did not start",
            "  tessera status --metrics              counters in Prometheus form"
        },
        mixinStandardHelpOptions = true)
final class StatusCommand implements Callable<Integer> {
    @Mixin
    NodeOptions target = new NodeOptions();

    @Mixin
    Output output = new Output();

    @Option(names = "--metrics", description = "Print the counters of one node in Prometheus text form.")
    boolean metrics;

    /** The JSON form. */
    record Cluster(List<NodeStatus> nodes) {}

    @Override
    public Integer call() throws IOException, CliException, AdminException {
        if (metrics) {
            JsonNode text = target.call("metrics", AdminClient.args(), NodeOptions.QUICK);
            output.out().print(text.path("text").asText());
            return 0;
        }
        Cluster cluster = new Cluster(collect());
        if (output.json) {
            output.json(cluster);
        } else {
            print(cluster);
        }
        boolean ready = !cluster.nodes().isEmpty()
                && cluster.nodes().stream().allMatch(node -> node.state().equals("ready"));
        return ready ? 0 : Main.NOT_RUNNING;
    }

    private List<NodeStatus> collect() throws IOException, CliException, AdminException {
        if (target.socket != null) {
            return List.of(parse(target.call("status", AdminClient.args(), NodeOptions.QUICK)));
        }
        List<NodeStatus> nodes = new ArrayList<>();
        int number = 1;
        for (NodeLayout layout : DownCommand.nodes(target.state.directory)) {
            nodes.add(ask(number++, layout));
        }
        return nodes;
    }

    private static NodeStatus ask(int number, NodeLayout layout) throws IOException, AdminException {
        String dir = layout.dir().toString();
        try (AdminClient client = AdminClient.connect(layout.adminSocket())) {
            return parse(client.call("status", AdminClient.args(), NodeOptions.QUICK));
        } catch (IOException e) {
            boolean runs = DaemonProcess.find(layout.pidFile()).isPresent();
            return NodeStatus.without(number, dir, runs ? "unreachable" : "stopped");
        }
    }

    private static NodeStatus parse(JsonNode answer) throws JsonProcessingException {
        return Json.MAPPER.treeToValue(answer, NodeStatus.class);
    }

    private void print(Cluster cluster) {
        PrintWriter out = output.out();
        if (cluster.nodes().isEmpty()) {
            out.println("No cluster in "
                    + target.state.directory.toAbsolutePath().normalize() + "; 'tessera up' makes one.");
        }
        for (NodeStatus node : cluster.nodes()) {
            print(node, out);
        }
    }

    private static void print(NodeStatus node, PrintWriter out) {
        StringBuilder head = new StringBuilder("node" + node.node() + "  " + node.state());
        NodeStatus.ProcessInfo process = node.process();
        if (process != null) {
            head.append("  pid ").append(process.pid());
            head.append("  up ").append(age(Duration.ofMillis(process.uptimeMs())));
            head.append("  memory ").append(Size.display(process.rssBytes()));
        }
        out.println(head);
        out.println("  state   " + node.dir());
        NodeStatus.Coordination coordination = node.coordination();
        if (coordination != null) {
            out.println("  zk      " + coordination.servers() + (coordination.embedded() ? " (embedded)" : "")
                    + (coordination.connected() ? "" : "  NOT CONNECTED"));
        }
        for (NodeStatus.Brick brick : node.bricks()) {
            out.println("  brick   b" + brick.brick() + "  " + brick.path() + "  "
                    + used(brick.totalBlocks(), brick.freeBlocks(), brick.blockBytes()) + "  " + brick.kind() + ", "
                    + brick.persistence().toLowerCase(Locale.ROOT).replace('_', ' ')
                    + (brick.survivesReboot() ? "" : " (lost at reboot)"));
        }
        for (NodeStatus.Volume volume : node.volumes()) {
            out.println("  volume  " + volume.name() + "  " + (volume.mount() == null ? "not mounted" : volume.mount())
                    + "  " + used(volume.totalBytes(), volume.freeBytes(), 1) + "  " + volume.inodes() + " inodes  "
                    + owner(volume, node.node()));
        }
        if (!node.peers().isEmpty()) {
            out.println("  peers   "
                    + node.peers().stream().map(StatusCommand::describe).collect(Collectors.joining(", ")));
        }
        for (Map.Entry<String, Double> metric : node.metrics().entrySet()) {
            if (metric.getValue() != 0 && metric.getKey().contains("error")) {
                out.println("  " + metric.getKey() + " " + metric.getValue().longValue());
            }
        }
    }

    private static String owner(NodeStatus.Volume volume, int self) {
        Integer owner = volume.owner();
        if (owner == null) {
            return "no owner";
        }
        String who = owner == self ? "owner" : "owned by node" + owner;
        return who + (volume.epoch() == 0 ? ", which does not answer" : ", epoch " + volume.epoch());
    }

    private static String describe(PeerStatus peer) {
        return "node" + peer.node() + " " + peer.state() + (peer.via() == null ? "" : " (" + peer.via() + ")");
    }

    private static String used(long total, long free, int unitBytes) {
        return Size.display((total - free) * unitBytes) + " of " + Size.display(total * unitBytes) + " used";
    }

    private static String age(Duration age) {
        if (age.toMinutes() < 1) {
            return age.toSeconds() + " s";
        }
        if (age.toHours() < 1) {
            return age.toMinutes() + " min";
        }
        return age.toDays() < 1 ? age.toHours() + " h" : age.toDays() + " d";
    }
}
