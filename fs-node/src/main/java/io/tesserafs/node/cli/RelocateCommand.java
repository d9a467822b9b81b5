package io.tesserafs.node.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.node.admin.AdminClient;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.config.Size;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code tessera relocate}. */
@Command(
        name = "relocate",
        description = {
            "Move the bytes of a file to another brick while applications use it. They see a short delay, nothing else: open files, mappings and locks stay as "
                    + "they are.",
            "",
            "A node that has some of the file and does not answer is evicted and fenced, and the file moves then. What is written while it moves may go to the "
                    + "brick of the node that writes; 'tessera stat' shows what is where. If it ends early, what has moved has moved, and it can be run again.",
            ""
        },
        footer = {"", "Example:", "  tessera relocate .tessera/node1/mnt/data.bin --to b2"},
        mixinStandardHelpOptions = true)
final class RelocateCommand implements Callable<Integer> {
    private static final Pattern BRICK = Pattern.compile("b?([0-9]{1,5})");

    private static final int MAX_ROUNDS = 8;

    /** The daemon comes back after 20 s, if it need not wait for nodes that hang. */
    private static final Duration STEP = Duration.ofMinutes(5);

    @Mixin
    Output output = new Output();

    @Option(names = "--socket", paramLabel = "PATH", description = "Admin socket, if the mount does not tell.")
    @Nullable
    Path socket;

    @Option(names = "--to", paramLabel = "BRICK", required = true, description = "As 'tessera brick list' names it.")
    String to = "";

    @Parameters(paramLabel = "PATH", description = "A file in a mount. Symbolic links are not followed.")
    Path path = Path.of(".");

    @Override
    public Integer call() throws IOException, CliException, AdminException {
        Matcher brick = BRICK.matcher(to);
        if (!brick.matches()) {
            throw new CliException("'" + to + "' is no brick; 'tessera brick list' names them");
        }
        FileTarget file = FileTarget.of(path, socket);
        ObjectNode args = file.args().put("brick", Integer.parseInt(brick.group(1)));
        long began = System.nanoTime();
        long extents = 0;
        long bytes = 0;
        try (AdminClient client = NodeOptions.connect(file.socket())) {
            // Until there is nothing more to move: others may have added to the file, or moved it too.
            boolean again = true;
            for (int round = 0; again; round++) {
                if (round == MAX_ROUNDS) {
                    throw new CliException("others change " + path + " or move it at the same time; " + extents
                            + " extents were moved, and 'tessera stat' shows what is where");
                }
                again = false;
                for (long next = 0; next >= 0; ) {
                    JsonNode step = client.call("relocate", args.put("fromTile", next), STEP);
                    long moved = step.path("extents").asLong();
                    extents += moved;
                    bytes += step.path("bytes").asLong();
                    again |= moved > 0 || step.path("staying").asLong() > 0;
                    next = step.path("next").asLong(-1);
                }
            }
        }
        long ms = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began);
        if (output.json) {
            output.json(Map.of("extents", extents, "bytes", bytes, "tookMs", ms));
        } else if (extents == 0) {
            output.out().println("All of " + path + " is on b" + brick.group(1) + ".");
        } else {
            output.out()
                    .println("Moved " + extents + (extents == 1 ? " extent (" : " extents (") + Size.display(bytes)
                            + ") of " + path + " to b" + brick.group(1) + " in " + ms + " ms.");
        }
        return 0;
    }
}
