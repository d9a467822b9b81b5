package io.tesserafs.coherence.volume;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.coherence.membership.ClusterClient;
import io.tesserafs.coherence.membership.Incarnation;
import io.tesserafs.coherence.membership.MembershipException;
import io.tesserafs.coherence.membership.NodeId;
import io.tesserafs.coherence.membership.ZooKeeperFixture;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class VolumesTest {
    private static final NodeId ONE = new NodeId(1);

    @TempDir
    Path dir;

    private ZooKeeperFixture fixture;
    private ClusterClient client;
    private VolumeRegistry volumes;

    @BeforeEach
    void start() throws Exception {
        fixture = new ZooKeeperFixture(dir);
        client = fixture.connect();
        volumes = new VolumeRegistry(client);
    }

    @AfterEach
    void stop() throws Exception {
        fixture.close();
    }

    private static byte[] text(String content) {
        return content.getBytes(StandardCharsets.UTF_8);
    }

    /** Puts what an election says in a queue. */
    private static final class Events implements VolumeElection.Listener {
        final BlockingQueue<Long> queue = new LinkedBlockingQueue<>();

        @Override
        public void onElected(long epoch) {
            queue.add(epoch);
        }

        @Override
        public void onDeposed() {
            queue.add(0L);
        }

        long next() throws InterruptedException {
            Long event = queue.poll(30, TimeUnit.SECONDS);
            assertThat(event).as("an event of the election").isNotNull();
            return event;
        }
    }

    private static VolumeElection elect(ClusterClient client, VolumeInfo volume, Incarnation self, Events events)
            throws Exception {
        VolumeElection election = new VolumeElection(client, volume.number(), ONE, self, events);
        election.start();
        return election;
    }

    @Test
    void shouldCreateFindListAndDelete() throws Exception {
        assertThat(volumes.list()).isEmpty();
        assertThat(volumes.find("home")).isEmpty();
        VolumeInfo home = volumes.create("home", Map.of("maxInodes", "1000"));
        VolumeInfo scratch = volumes.create("scratch", Map.of());
        assertThat(home.number()).isEqualTo(1);
        assertThat(volumes.find("home")).contains(home);
        assertThat(volumes.find(1)).contains(home);
        assertThat(volumes.list()).containsExactly(home, scratch);

        VolumeInfo deleting = volumes.markDeleting(1);
        assertThat(deleting.state()).isEqualTo(VolumeInfo.State.DELETING);
        assertThat(volumes.markDeleting(1)).isEqualTo(deleting);
        assertThatThrownBy(() -> volumes.create("home", Map.of())).hasMessageContaining("still being deleted");
        volumes.remove(1);
        volumes.remove(1);
        assertThat(volumes.list()).containsExactly(scratch);
        assertThat(volumes.create("home", Map.of()).number()).isEqualTo(3);
    }

    @Test
    void shouldRefuseBadNamesDuplicatesAndRemovalOfALiveVolume() throws Exception {
        for (String name : new String[] {"", "a/b", ".", "..", "-x", "a b", "ä", "x".repeat(64)}) {
            assertThatThrownBy(() -> volumes.create(name, Map.of())).isInstanceOf(IllegalArgumentException.class);
            assertThat(volumes.find(name)).isEmpty();
        }
        volumes.create("x".repeat(63), Map.of());
        volumes.create("home", Map.of());
        assertThatThrownBy(() -> volumes.create("home", Map.of()))
                .hasMessage("There is a volume 'home' already")
                .extracting(e -> ((MembershipException) e).reason())
                .isEqualTo(MembershipException.Reason.EXISTS);
        assertThatThrownBy(() -> volumes.remove(2)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> volumes.markDeleting(9))
                .extracting(e -> ((MembershipException) e).reason())
                .isEqualTo(MembershipException.Reason.NOT_FOUND);
    }

    @Test
    void shouldChangeTheManifestByCompareAndSetInTheCurrentEpochOnly() throws Exception {
        VolumeInfo home = volumes.create("home", Map.of());
        Events events = new Events();
        VolumeElection first = elect(client, home, ZooKeeperFixture.here(1), events);
        long epoch = events.next();
        assertThat(epoch).isEqualTo(1);
        assertThat(first.ownedEpoch()).hasValue(1);

        ManifestStore store = new ZooKeeperManifestStore(client, home.number());
        assertThat(store.read().bytes()).isEmpty();
        assertThat(store.read().version()).isZero();
        assertThat(store.write(text("a"), 0, epoch)).isEqualTo(1);
        assertThat(store.write(text("b"), 1, epoch)).isEqualTo(2);
        assertThatThrownBy(() -> store.write(text("c"), 1, epoch))
                .isInstanceOf(MembershipException.class)
                .hasMessageContaining("has version 2, not 1");
        assertThatThrownBy(() -> store.write(text("c"), 2, epoch + 1)).hasMessageContaining("lost data");
        assertThat(store.read().bytes()).isEqualTo(text("b"));
    }

    @Test
    void shouldRefuseWriteAfterEpochAdvances() throws Exception {
        VolumeInfo home = volumes.create("home", Map.of());
        Events events = new Events();
        // The old owner's client stays connected: it does not know that it was replaced.
        ClusterClient oldClient = fixture.connect();
        VolumeElection old = elect(oldClient, home, ZooKeeperFixture.here(1), events);
        long oldEpoch = events.next();
        ManifestStore oldStore = new ZooKeeperManifestStore(oldClient, home.number());
        oldStore.write(text("a"), 0, oldEpoch);

        Events newEvents = new Events();
        elect(client, home, ZooKeeperFixture.here(1), newEvents);
        long newEpoch = newEvents.next();
        assertThat(newEpoch).isEqualTo(oldEpoch + 1);
        assertThatThrownBy(() -> oldStore.write(text("late"), 1, oldEpoch)).isInstanceOf(StaleEpochException.class);
        assertThatThrownBy(() -> oldStore.write(text("late"), 1, oldEpoch)).isInstanceOf(StaleEpochException.class);
        ManifestStore newStore = new ZooKeeperManifestStore(client, home.number());
        assertThat(newStore.write(text("b"), 1, newEpoch)).isEqualTo(2);
        old.close();
    }

    @Test
    void shouldAcceptARepeatedWriteWhoseAnswerWasLost() throws Exception {
        VolumeInfo home = volumes.create("home", Map.of());
        Events events = new Events();
        elect(client, home, ZooKeeperFixture.here(1), events);
        long epoch = events.next();
        ManifestStore store = new ZooKeeperManifestStore(client, home.number());
        store.write(text("a"), 0, epoch);
        assertThat(store.write(text("a"), 0, epoch)).isEqualTo(1);
    }

    @Test
    void shouldElectTheNextCandidateWhenTheOwnerCloses() throws Exception {
        VolumeInfo home = volumes.create("home", Map.of());
        Events first = new Events();
        Events second = new Events();
        VolumeElection owner = elect(client, home, ZooKeeperFixture.here(1), first);
        assertThat(first.next()).isEqualTo(1);
        VolumeElection waiting = elect(fixture.connect(), home, ZooKeeperFixture.here(2), second);
        assertThat(waiting.ownedEpoch()).isEmpty();
        owner.close();
        owner.close();
        assertThat(second.next()).isEqualTo(2);
        assertThat(waiting.ownedEpoch()).hasValue(2);
        assertThat(first.queue).isEmpty();
    }

    @Test
    void shouldBeDeposedWhenTheSessionIsLostAndElectedAnew() throws Exception {
        VolumeInfo home = volumes.create("home", Map.of());
        Events events = new Events();
        VolumeElection election = elect(client, home, ZooKeeperFixture.here(1), events);
        assertThat(events.next()).isEqualTo(1);
        fixture.server.expire(client.sessionId());
        assertThat(events.next()).isZero();
        assertThat(events.next()).isEqualTo(2);
        assertThat(election.ownedEpoch()).hasValue(2);
    }

    @Test
    void shouldRemoveAVolumeWhoseElectionWasClosed() throws Exception {
        VolumeInfo home = volumes.create("home", Map.of());
        Events events = new Events();
        VolumeElection election = elect(client, home, ZooKeeperFixture.here(1), events);
        events.next();
        election.close();
        volumes.markDeleting(home.number());
        volumes.remove(home.number());
        assertThat(volumes.list()).isEmpty();
    }
}
