package io.tesserafs.node.cli;

import io.tesserafs.node.config.Size;
import io.tesserafs.node.daemon.NodeLayout;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code tessera up}. */
@Command(
        name = "up",
        description = {
            "Start a local cluster in the background; return when its mounts can be used.",
            "",
            "What runs already is left alone, and a mount whose daemon died is repaired, so 'up' can be repeated at any time. "
                    + "Node K lives in DIR/nodeK: its pool, log and configuration (node.yaml), and its mount at DIR/nodeK/mnt.",
            ""
        },
        footer = {
            "",
            "Examples:",
            "  tessera up                                   4 GiB in ./.tessera",
            "  tessera up --state /srv/t --pool-size 64G    elsewhere, larger",
            "  tessera up --pool /dev/shm/pool              in memory: fastest, gone after a reboot",
            "  tessera up --pool /mnt/pmem0/pool            on a DAX file system: persistent memory"
        },
        mixinStandardHelpOptions = true)
final class UpCommand implements Callable<Integer> {
    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    StateOption state = new StateOption();

    @Option(
            names = "--pool-size",
            paramLabel = "SIZE",
            converter = SizeConverter.class,
            description =
                    "Size of a new node's pool, for example 512M or 64G (default: 4G). Existing pools keep theirs.")
    @Nullable
    Size poolSize;

    @Option(names = "--pool", paramLabel = "PATH", description = "Pool file of a new node 1 (default: DIR/node1/pool).")
    @Nullable
    Path pool;

    @Option(
            names = "--nodes",
            paramLabel = "N",
            defaultValue = "1",
            description = "Number of nodes, each with its own pool and mount (default: 1, or as many as there are).")
    int nodes = 1;

    @Override
    public Integer call() throws IOException, CliException, InterruptedException {
        if (nodes < 1) {
            throw new CliException("--nodes must be at least 1");
        }
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        NodeLayout first = NodeLayout.of(state.directory, 1);
        boolean started = false;
        for (int node = 1;
                node <= Math.max(nodes, DownCommand.nodes(state.directory).size());
                node++) {
            NodeLayout layout = NodeLayout.of(state.directory, node);
            started |= new NodeStarter(node, layout, first, poolSize, node == 1 ? pool : null, err).start();
        }
        Path mount = first.mount();
        out.println(started ? "TesseraFS is up." : "TesseraFS was up already.");
        out.println();
        for (NodeLayout node : DownCommand.nodes(state.directory)) {
            out.println("  " + node.dir().getFileName() + "  " + node.mount());
        }
        out.println();
        out.println(
                "Try:  cp -r /etc/ssl " + Shell.quote(mount.toString()) + " && ls -l " + Shell.quote(mount.toString()));
        String option = state.directory.equals(Path.of(".tessera"))
                ? ""
                : " --state " + Shell.quote(state.directory.toString());
        out.println("      tessera status" + option);
        out.println("      tessera down" + option);
        return 0;
    }

    /** {@link Size} with its own message. */
    static final class SizeConverter implements ITypeConverter<Size> {
        @Override
        public Size convert(String value) {
            try {
                return Size.parse(value);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }
}
