package io.tesserafs.node.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.coherence.membership.BrickRecord;
import io.tesserafs.coherence.membership.NodeId;
import io.tesserafs.coherence.membership.NodeInfo;
import io.tesserafs.fabric.BrickResolver.Location;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** The way to other nodes, while ZooKeeper answers and while it does not. */
class NodePlacesTest {
    private static final NodeId SELF = new NodeId(1);
    private static final NodeId OTHER = new NodeId(2);
    private static final BrickId BRICK = new BrickId(7);
    private static final Location PLACE = new Location(OTHER.value(), "tcp://10.0.0.2:7400");

    private final FakeDirectory directory = new FakeDirectory();
    private final NodePlaces places = new NodePlaces(SELF, directory);

    @Test
    void shouldRememberWhereABrickWasWhenZooKeeperGoesAwayJustWhenItIsAsked() throws IOException {
        directory.join();
        places.refresh();
        directory.answers = false; // and still seems connected
        assertThat(places.locate(BRICK)).isEqualTo(PLACE);
        assertThat(places.of(OTHER)).isEqualTo(PLACE.endpoint());
    }

    @Test
    void shouldRememberABrickThatWasLookedForBeforeItWasListed() throws IOException {
        directory.join();
        assertThat(places.locate(BRICK)).isEqualTo(PLACE);
        directory.answers = false;
        assertThat(places.locate(BRICK)).isEqualTo(PLACE);
    }

    @Test
    void shouldNotAskWhileZooKeeperIsAway() throws IOException {
        directory.join();
        places.refresh();
        directory.connected = false;
        int asked = directory.asked;
        assertThat(places.locate(BRICK)).isEqualTo(PLACE);
        assertThat(places.of(OTHER)).isEqualTo(PLACE.endpoint());
        assertThat(directory.asked).isEqualTo(asked);
    }

    @Test
    void shouldBelieveZooKeeperThatANodeIsGone() throws IOException {
        directory.join();
        places.refresh();
        directory.up.clear();
        assertThatThrownBy(() -> places.locate(BRICK))
                .isInstanceOfSatisfying(
                        BrickException.class, e -> assertThat(e.reason()).isEqualTo(BrickException.Reason.UNREACHABLE));
        assertThatThrownBy(() -> places.of(OTHER)).isInstanceOf(IOException.class);
        places.refresh();
        assertThat(places.othersUp()).isEmpty();
        assertThat(places.hasOthers()).isTrue();
    }

    @Test
    void shouldSayThatABrickNobodySawCannotBeReached() {
        directory.answers = false;
        assertThatThrownBy(() -> places.locate(BRICK))
                .isInstanceOfSatisfying(
                        BrickException.class, e -> assertThat(e.reason()).isEqualTo(BrickException.Reason.UNREACHABLE));
        assertThatThrownBy(() -> places.of(OTHER)).isInstanceOf(IOException.class);
    }

    private static final class FakeDirectory implements NodePlaces.Directory {
        final List<BrickRecord> known = new ArrayList<>();
        final List<NodeInfo> up = new ArrayList<>();
        boolean connected = true;
        boolean answers = true;
        int asked;

        void join() {
            known.add(new BrickRecord(BRICK.value(), new UUID(1, 2), OTHER, "/pool", 1 << 30));
            up.add(new NodeInfo(
                    OTHER, "node2", 1, Map.of(NodeFabric.ENDPOINT, PLACE.endpoint()), List.of(BRICK.value()), "1.0"));
        }

        private void answer() throws IOException {
            asked++;
            if (!answers) {
                throw new IOException("connection loss");
            }
        }

        @Override
        public boolean connected() {
            return connected;
        }

        @Override
        public List<BrickRecord> bricks() throws IOException {
            answer();
            return known;
        }

        @Override
        public List<NodeInfo> nodes() throws IOException {
            answer();
            return up;
        }

        @Override
        public Optional<BrickRecord> brick(BrickId brick) throws IOException {
            answer();
            return known.stream().filter(b -> b.brick() == brick.value()).findAny();
        }

        @Override
        public Optional<NodeInfo> node(NodeId node) throws IOException {
            answer();
            return up.stream().filter(n -> n.id().equals(node)).findAny();
        }
    }
}
