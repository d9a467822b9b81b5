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

    @Option(
            names = "--state",
            paramLabel = "DIR",
            defaultValue = "${env:TESSERA_STATE:-.tessera}",
            description = "Where the cluster lives (default: ./.tessera, or $$TESSERA_STATE).")
    Path state = Path.of(".tessera");

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

    @Option(names = "--nodes", paramLabel = "N", defaultValue = "1", description = "Number of nodes (default: 1).")
    int nodes = 1;

    @Override
    public Integer call() throws IOException, CliException, InterruptedException {
        if (nodes < 1) {
            throw new CliException("--nodes must be at least 1");
        }
        if (nodes > 1) {
            throw new CliException("--nodes " + nodes
                    + " is not yet supported by this version: it runs clusters of one node. Use --nodes 1");
        }
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        NodeLayout layout = NodeLayout.of(state, 1);
        NodeStarter starter = new NodeStarter(1, layout, poolSize, pool, err);
        boolean started = starter.start();
        Path mount = starter.mountPoint();
        out.println(started ? "TesseraFS is up." : "TesseraFS was up already.");
        out.println();
        out.println("  node1  " + mount);
        out.println();
        out.println(
                "Try:  cp -r /etc/ssl " + Shell.quote(mount.toString()) + " && ls -l " + Shell.quote(mount.toString()));
        String option = state.equals(Path.of(".tessera")) ? "" : " --state " + Shell.quote(state.toString());
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
