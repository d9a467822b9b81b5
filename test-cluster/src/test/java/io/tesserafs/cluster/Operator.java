package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import java.util.stream.IntStream;

/** Who gives commands to the nodes of a cluster that are {@link TestCluster#together}, and reads the answers. */
final class Operator {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    private static final long POLL_NS = Duration.ofMillis(100).toNanos();
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private final TestCluster cluster;

    Operator(TestCluster cluster) {
        this.cluster = cluster;
    }

    Command.Result ask(int node, String... command) {
        List<String> all = new ArrayList<>(List.of(command));
        all.add("--node");
        all.add(Integer.toString(node));
        return cluster.node().cli(all.toArray(String[]::new));
    }

    String text(int node, String... command) {
        return ask(node, command).expectSuccess().output();
    }

    JsonNode json(int node, String... command) throws IOException {
        return MAPPER.readTree(text(node, withJson(command)));
    }

    private static String[] withJson(String... command) {
        List<String> all = new ArrayList<>(List.of(command));
        all.add("--json");
        return all.toArray(String[]::new);
    }

    /** Asks until the answer is as wanted. For what a node knows of others, which it need not know yet, or not while a machine stalls. */
    JsonNode awaitJson(Predicate<JsonNode> wanted, int node, String... command) throws IOException {
        long end = System.nanoTime() + LIMIT.toNanos();
        while (true) {
            Command.Result result = ask(node, withJson(command));
            if (result.status() == 0) {
                JsonNode answer = MAPPER.readTree(result.output());
                if (wanted.test(answer)) {
                    return answer;
                }
            }
            assertThat(System.nanoTime())
                    .as(() -> "time when the answer was not as wanted yet, but:\n" + result.output())
                    .isLessThan(end);
            LockSupport.parkNanos(POLL_NS);
        }
    }

    /** As {@link #awaitJson}: until all of these are in the answer. */
    void awaitText(List<String> wanted, int node, String... command) {
        long end = System.nanoTime() + LIMIT.toNanos();
        while (true) {
            Command.Result result = ask(node, command);
            if (result.status() == 0 && wanted.stream().allMatch(result.output()::contains)) {
                return;
            }
            assertThat(System.nanoTime())
                    .as(() -> "time when not all of " + wanted + " was in the answer yet:\n" + result.output())
                    .isLessThan(end);
            LockSupport.parkNanos(POLL_NS);
        }
    }

    static List<String> values(JsonNode items, String field) {
        return IntStream.range(0, items.size())
                .mapToObj(i -> items.get(i).path(field).asText())
                .toList();
    }

    /** The node that owns the first volume. There may be none for a moment. */
    int owner() throws IOException {
        return owner(awaitJson(volumes -> owner(volumes) != 0, 1, "volume", "list"));
    }

    private static int owner(JsonNode volumes) {
        return volumes.path(0).path("owner").asInt();
    }

    /** On one node's mount; the file is known to all. */
    Path file(int node, String name) {
        return cluster.nodes().get(node - 1).mount().resolve(name);
    }
}
