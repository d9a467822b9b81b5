package io.tesserafs.node.cli;

import io.tesserafs.node.daemon.NodeLayout;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code tessera down}. */
@Command(
        name = "down",
        description = {
            "Unmount and stop the local cluster. All data is there at the next 'up'.",
            "",
            "A mount that is in use is not taken away: the processes that keep it busy are named, and nothing is stopped. "
                    + "With --force it is detached; those processes get errors from then on.",
            ""
        },
        footer = {
            "",
            "Examples:",
            "  tessera down",
            "  tessera down --force       whatever uses the mount",
            "  tessera down --destroy     delete all data of the cluster, too"
        },
        mixinStandardHelpOptions = true)
final class DownCommand implements Callable<Integer> {
    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    StateOption state = new StateOption();

    @Option(names = "--force", description = "Detach busy mounts; kill a daemon that does not stop.")
    boolean force;

    @Option(names = "--destroy", description = "Delete the state directory and the pools: all data is gone.")
    boolean destroy;

    @Override
    public Integer call() throws IOException, CliException, InterruptedException {
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        List<NodeLayout> nodes = nodes(state.directory);
        if (nodes.isEmpty()) {
            out.println("Nothing to stop in " + state.directory.toAbsolutePath().normalize() + ".");
            return 0;
        }
        boolean stopped = false;
        for (NodeLayout node : nodes.reversed()) {
            stopped |= new NodeStopper(node, force, err).stop();
        }
        if (destroy) {
            for (NodeLayout node : nodes) {
                new Destroyer(node).destroy();
            }
            Destroyer.deleteIfEmpty(state.directory);
        }
        out.println((stopped ? "TesseraFS is down" : "TesseraFS was down already")
                + (destroy ? " and its data deleted." : "."));
        return 0;
    }

    /** Directories node1, node2... that hold a node's configuration, in order of their numbers. */
    static List<NodeLayout> nodes(Path state) throws IOException {
        List<NodeLayout> nodes = new ArrayList<>();
        for (int number = 1; ; number++) {
            NodeLayout node = NodeLayout.of(state, number);
            if (!Files.isDirectory(node.dir())) {
                return nodes;
            }
            if (Files.exists(node.config())) {
                nodes.add(node);
            }
        }
    }
}
