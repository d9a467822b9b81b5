package io.tesserafs.node.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.config.Size;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code tessera stat}. */
@Command(
        name = "stat",
        description = {
            "Show a file from the inside: inode, attributes, extents, and the slices and bricks they are on, with the nodes that "
                    + "have them.",
            ""
        },
        footer = {"", "Example:", "  tessera stat .tessera/node1/mnt/data.bin"},
        mixinStandardHelpOptions = true)
final class StatCommand implements Callable<Integer> {
    @Mixin
    Output output = new Output();

    @Option(names = "--socket", paramLabel = "PATH", description = "Admin socket, if the mount does not tell.")
    @Nullable
    Path socket;

    @Parameters(paramLabel = "PATH", description = "A file or directory in a mount. Symbolic links are not followed.")
    Path path = Path.of(".");

    @Override
    public Integer call() throws IOException, CliException, AdminException {
        FileTarget file = FileTarget.of(path, socket);
        JsonNode stat = NodeOptions.call(file.socket(), "stat", file.args(), NodeOptions.OWNER);
        if (output.json) {
            output.json(stat);
        } else {
            print(stat);
        }
        return 0;
    }

    private void print(JsonNode stat) {
        PrintWriter out = output.out();
        out.println(path);
        out.printf(
                "  inode   %d  %s  mode %04o  links %d  owner %d:%d%n",
                stat.path("ino").asLong(),
                stat.path("type").asText(),
                stat.path("mode").asInt() & 0xFFF,
                stat.path("nlink").asInt(),
                stat.path("uid").asInt(),
                stat.path("gid").asInt());
        out.println("  size    " + stat.path("size").asLong() + " bytes, "
                + Size.display(stat.path("blocks").asLong() * 512) + " allocated");
        for (String time : List.of("atime", "mtime", "ctime", "btime")) {
            out.println("  " + time + "   " + instant(stat.path(time + "Ns").asLong()));
        }
        JsonNode extents = stat.path("extents");
        if (extents.isEmpty()) {
            return;
        }
        for (JsonNode brick : stat.path("bricks")) {
            out.println("  brick   b" + brick.path("brick").asInt() + " of node"
                    + brick.path("node").asInt() + "  " + brick.path("state").asText() + "  "
                    + brick.path("path").asText() + describe(brick));
        }
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("  TILE", "BRICK", "BLOCK", "OFFSET", "LENGTH", "VALID", "KIND"));
        for (JsonNode extent : extents) {
            rows.add(List.of(
                    "  " + extent.path("tile").asText(),
                    "b" + extent.path("brick").asText(),
                    extent.path("block").asText(),
                    extent.path("offset").asText(),
                    extent.path("length").asText(),
                    extent.path("validBytes").asText(),
                    extent.path("slice").asBoolean() ? "slice" : "block"));
        }
        output.table(rows);
        if (stat.path("more").asBoolean()) {
            out.println("  ... and more");
        }
    }

    private static String describe(JsonNode brick) {
        return brick.has("via")
                ? "  " + brick.path("kind").asText() + ", "
                        + brick.path("persistence")
                                .asText()
                                .toLowerCase(Locale.ROOT)
                                .replace('_', ' ') + ", via "
                        + brick.path("via").asText()
                : "";
    }

    private static Instant instant(long ns) {
        return Instant.ofEpochSecond(Math.floorDiv(ns, 1_000_000_000L), Math.floorMod(ns, 1_000_000_000L));
    }
}
