package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.cluster.NetLinks.Place;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The faults of links do what their names say: datagrams show what gets through. */
@Tag("cluster")
class NetLinksTest {
    private static final Duration LIMIT = Duration.ofSeconds(30);
    private static final String PORT = "9999";

    private final Path scratch = TestDirectories.onDisk("links");
    private final Command commands = new Command(scratch, () -> {});
    private final NetLinks links = NetLinks.create(List.of("one", "two", "three"), commands);
    private final Place one = links.places().get(0);
    private final Place two = links.places().get(1);
    private final Place three = links.places().get(2);
    private int listeners;

    private Command.Running atOne = start(one);
    private Command.Running atTwo = start(two);

    /** Everybody has talked to everybody, so that no address is unknown later. */
    @BeforeEach
    void meet() {
        send(one, two, "first");
        send(two, one, "first");
        send(three, two, "third");
    }

    @AfterEach
    void remove() throws IOException {
        links.close();
        assertThat(NetLinks.namespaces(links.prefix())).isEmpty();
        TestDirectories.delete(scratch);
    }

    private Command.Running start(Place place) {
        Path ready = scratch.resolve("ready" + ++listeners);
        Command.Running running = commands.start(
                scratch,
                place.inside(List.of(NativePrograms.compile("netprobe"), "listen", PORT, ready.toString()))
                        .toArray(String[]::new));
        commands.shell(LIMIT, scratch, "until [ -e " + ready + " ]; do sleep 0.02; done")
                .expectSuccess();
        return running;
    }

    private void send(Place from, Place to, String text) {
        commands.run(
                        LIMIT,
                        scratch,
                        from.inside(List.of(NativePrograms.compile("netprobe"), "send", to.address(), PORT, text))
                                .toArray(String[]::new))
                .expectSuccess();
    }

    /** Ends both listeners and compares what they got. */
    private void expect(List<String> byOne, List<String> byTwo) {
        send(two, one, "end");
        send(one, two, "end");
        assertThat(atOne.await(LIMIT).expectSuccess().output().lines()).containsExactlyElementsOf(byOne);
        assertThat(atTwo.await(LIMIT).expectSuccess().output().lines()).containsExactlyElementsOf(byTwo);
    }

    @Test
    void shouldCarryEverythingWithoutFaults() {
        send(one, two, "a");
        send(two, one, "b");
        expect(List.of("first", "b", "end"), List.of("first", "third", "a", "end"));
    }

    @Test
    void shouldLoseOnlyWhatAMutedPlaceSends() {
        one.mute();
        send(one, two, "lost");
        send(two, one, "heard");
        one.heal();
        expect(List.of("first", "heard", "end"), List.of("first", "third", "end"));
    }

    @Test
    void shouldLoseOnlyWhatADeafPlaceIsSent() {
        one.deafen();
        send(one, two, "said");
        send(two, one, "lost");
        one.heal();
        expect(List.of("first", "end"), List.of("first", "third", "said", "end"));
    }

    @Test
    void shouldLoseEverythingWithTheCablePulled() {
        one.down();
        send(one, two, "lost");
        send(two, one, "lost");
        send(three, two, "heard");
        one.heal();
        expect(List.of("first", "end"), List.of("first", "third", "heard", "end"));
    }

    @Test
    void shouldLoseOnlyWhatOnePlaceSendsToOneOther() {
        one.loseTo(two);
        send(one, two, "lost");
        send(two, one, "heard");
        send(three, two, "heard");
        one.heal();
        expect(List.of("first", "heard", "end"), List.of("first", "third", "heard", "end"));
    }

    @Test
    void shouldCarryOnWhenSlow() {
        one.slow(100);
        assertThat(disciplines(one)).contains("tbf").contains("rate 100Kbit");
        send(one, two, "slowly");
        one.heal();
        assertThat(disciplines(one)).doesNotContain("tbf");
        expect(List.of("first", "end"), List.of("first", "third", "slowly", "end"));
    }

    private String disciplines(Place place) {
        return commands.run(LIMIT, scratch, "tc", "-n", place.namespace(), "qdisc", "show", "dev", "eth0")
                .expectSuccess()
                .output();
    }

    @Test
    void shouldKillWhatStillRunsInsideWhenItIsClosed() {
        links.close();
        assertThat(atOne.await(LIMIT).status()).isEqualTo(137);
        assertThat(atTwo.await(LIMIT).status()).isEqualTo(137);
    }

    @Test
    void shouldRemoveOnlyWhatDeadRunsLeftBehind() throws IOException {
        long dead = 99_999_999; // above the largest process id there can be
        String left = "tessera-" + dead + "-1-one";
        commands.run(LIMIT, scratch, "ip", "netns", "add", left).expectSuccess();
        NetLinks.create(List.of("four"), commands).close();
        assertThat(NetLinks.namespaces("tessera-" + dead)).isEmpty();
        assertThat(NetLinks.namespaces(links.prefix())).hasSize(4);
        assertThat(Files.exists(Path.of("/run/netns", one.namespace()))).isTrue();
    }
}
