package io.tesserafs.node.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.coherence.membership.NodeId;
import java.io.IOException;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Which node owns a volume, while ZooKeeper answers and while it does not. */
class OwnerPlaceTest {
    private static final NodeId NODE = new NodeId(2);

    private Optional<NodeId> registered = Optional.of(NODE);
    private boolean connected = true;
    private boolean answers = true;
    private int asked;
    private final OwnerPlace place = new OwnerPlace(() -> connected, this::registered);

    private Optional<NodeId> registered() throws IOException {
        asked++;
        if (!answers) {
            throw new IOException("connection loss");
        }
        return registered;
    }

    @Test
    void shouldRememberTheOwnerWhenZooKeeperGoesAwayJustWhenItIsAsked() throws IOException {
        assertThat(place.find()).contains(NODE);
        answers = false; // and still seems connected
        assertThat(place.find()).contains(NODE);
    }

    @Test
    void shouldNotAskWhileZooKeeperIsAway() throws IOException {
        assertThat(place.find()).contains(NODE);
        connected = false;
        assertThat(place.find()).contains(NODE);
        assertThat(asked).isEqualTo(1);
    }

    @Test
    void shouldFailIfZooKeeperNeverSaid() {
        answers = false;
        assertThatThrownBy(place::find).isInstanceOf(IOException.class);
    }

    @Test
    void shouldBelieveZooKeeper() throws IOException {
        assertThat(place.find()).contains(NODE);
        NodeId next = new NodeId(3);
        registered = Optional.of(next);
        assertThat(place.find()).contains(next);
        registered = Optional.empty();
        assertThat(place.find()).isEmpty();
    }
}
