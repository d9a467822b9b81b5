package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntPredicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The node that owns a volume dies, hangs or is cut off: another takes over, and applications on the others see a pause. */
@Tag("cluster")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class OwnerTakeoverTest {
    /** Some leases: what the dead owner's own session held is given to others when its lease is over. */
    private static final Duration LIMIT = Duration.ofSeconds(90);

    private static final long POLL_NS = 1_000_000;
    private static final ObjectMapper MAPPER = new ObjectMapper();

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.apart("takeover", "512M", 3).lease(Duration.ofSeconds(15));

    private static List<NetNode> nodes() {
        return CLUSTER.network().nodes();
    }

    @AfterEach
    void heal() {
        CLUSTER.network().heal();
    }

    /** Asks who owns the volume until the answer is as wanted; what is no number is 0. */
    private static int awaitOwner(NetNode asked, String field, IntPredicate wanted) throws IOException {
        long end = System.nanoTime() + LIMIT.toNanos();
        while (true) {
            Command.Result result = asked.ask("volume", "owner", "--json");
            int value = result.status() == 0
                    ? MAPPER.readTree(result.output()).path(field).asInt()
                    : 0;
            if (value != 0 && wanted.test(value)) {
                return value;
            }
            assertThat(System.nanoTime())
                    .as(() -> "time when the owner was not as wanted yet, but:\n" + result.output())
                    .isLessThan(end);
        }
    }

    private static NetNode owner(NetNode asked) throws IOException {
        return nodes().get(awaitOwner(asked, "node", any -> true) - 1);
    }

    /** An application: makes files, writes and renames them, and lists what there is; of every operation the time is taken. */
    private static final class Application {
        private final Path directory;
        private final AtomicBoolean running = new AtomicBoolean(true);
        private final List<String> made = Collections.synchronizedList(new ArrayList<>());
        private volatile long longestNs;
        private volatile boolean ended;

        Application(NetNode node, Path directory) {
            this.directory = node.mount().resolve(directory.getFileName());
        }

        List<String> run(String prefix) throws IOException {
            try {
                return work(prefix);
            } finally {
                ended = true;
            }
        }

        private List<String> work(String prefix) throws IOException {
            for (int i = 0; running.get(); i++) {
                long start = System.nanoTime();
                String name = prefix + i;
                Path fresh = directory.resolve(name + ".new");
                try (FileChannel file =
                        FileChannel.open(fresh, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                    file.write(ByteBuffer.wrap(name.getBytes(java.nio.charset.StandardCharsets.UTF_8)));
                    file.force(true);
                }
                Files.move(fresh, directory.resolve(name));
                made.add(name);
                longestNs = Math.max(longestNs, System.nanoTime() - start);
            }
            return made;
        }

        void end() {
            running.set(false);
        }

        void awaitMore(int count) {
            int wanted = made.size() + count;
            while (made.size() < wanted && !ended) { // why it ended, its result says
                LockSupport.parkNanos(POLL_NS);
            }
        }
    }

    /** What happens to the owner. */
    enum Fate {
        KILLED,
        HUNG,
        CUT_OFF
    }

    private static void strike(NetNode victim, Fate fate) {
        switch (fate) {
            case KILLED -> victim.kill();
            case HUNG -> victim.pause();
            case CUT_OFF -> victim.link().down();
        }
    }

    @ParameterizedTest
    @EnumSource(Fate.class)
    void shouldGoOnUnderAnotherOwner(Fate fate) throws Exception {
        NetNode victim = owner(nodes().getFirst());
        List<NetNode> others = nodes().stream().filter(node -> node != victim).toList();
        Path directory = CLUSTER.workDirectory("go-on-" + fate.name().toLowerCase(Locale.ROOT));
        Path onVictim = victim.mount().resolve(directory.getFileName());
        CLUSTER.shell(LIMIT, onVictim, "head -c 3000000 /dev/urandom >local; sync local; sha256sum local >sum");
        awaitMirror(victim);
        List<Application> applications = new ArrayList<>();
        List<Future<List<String>>> results = new ArrayList<>();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (NetNode node : others) {
                Application application = new Application(node, directory);
                applications.add(application);
                results.add(threads.submit(() -> application.run("n" + node.number() + "-")));
            }
            applications.forEach(application -> application.awaitMore(20));
            strike(victim, fate);
            long start = System.nanoTime();
            awaitOwner(others.getFirst(), "node", node -> node != victim.number());
            long elected = System.nanoTime() - start;
            applications.forEach(application -> application.awaitMore(20));
            applications.forEach(Application::end);
            for (Future<List<String>> result : results) {
                for (String name : result.get()) {
                    for (NetNode node : others) {
                        assertThat(node.mount().resolve(directory.getFileName()).resolve(name))
                                .hasContent(name);
                    }
                }
            }
            System.out.printf(
                    "owner %s: another was elected after %.1f s; longest pause of an application %.1f s%n",
                    fate,
                    elected / 1e9,
                    applications.stream().mapToLong(a -> a.longestNs).max().orElseThrow() / 1e9);
        }
        Path elsewhere = others.getFirst().mount().resolve(directory.getFileName());
        assertThatThrownBy(() -> Files.readAllBytes(elsewhere.resolve("local")))
                .as("bytes on the brick that is away")
                .isInstanceOf(IOException.class);
        CLUSTER.network().heal();
        CLUSTER.shell(LIMIT, elsewhere, "until sha256sum -c sum; do sleep 0.2; done");
        CLUSTER.shell(LIMIT, onVictim, "until sha256sum -c sum; do sleep 0.2; done; echo back >again; sync again");
        CLUSTER.expectCleanFsck();
    }

    @Test
    void shouldBeHandedOnWhileApplicationsRun() throws Exception {
        Path directory = CLUSTER.workDirectory("move");
        NetNode first = nodes().getFirst();
        Application application = new Application(first, directory);
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<List<String>> result = threads.submit(() -> application.run("f"));
            for (int round = 0; round < 6; round++) {
                application.awaitMore(10);
                NetNode next = nodes().get(round % nodes().size());
                nodes().get((round + 1) % nodes().size())
                        .ask("volume", "owner", "move", Integer.toString(next.number()))
                        .expectSuccess();
                awaitOwner(first, "node", node -> node == next.number());
            }
            application.end();
            for (NetNode node : nodes()) {
                for (String name : result.get()) {
                    assertThat(node.mount().resolve(directory.getFileName()).resolve(name))
                            .hasContent(name);
                }
            }
            System.out.printf("owner handed on: longest pause %.2f s%n", application.longestNs / 1e9);
        }
        CLUSTER.expectCleanFsck();
    }

    /** Until the death of the owner's node costs nothing. */
    private static void awaitMirror(NetNode asked) throws IOException {
        awaitOwner(asked, "mirrorBrick", any -> true);
    }
}
