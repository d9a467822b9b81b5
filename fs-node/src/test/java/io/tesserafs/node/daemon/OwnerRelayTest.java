package io.tesserafs.node.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.tesserafs.node.admin.AdminClient;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.AdminException.Code;
import io.tesserafs.node.session.OwnedVolume;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class OwnerRelayTest {
    private static final Duration LIMIT = Duration.ofSeconds(3);
    private static final ObjectNode ARGS = AdminClient.args().put("volume", "v");

    /** The owner is on another node, which refuses a number of times before it answers. */
    private static final class Elsewhere implements OwnerRelay.Owners {
        final Code refusal;
        int refusals;
        int asked;

        Elsewhere(Code refusal, int refusals) {
            this.refusal = refusal;
            this.refusals = refusals;
        }

        @Override
        public Optional<OwnedVolume> here(String volume) throws AdminException {
            if (!volume.equals("v")) {
                throw new AdminException(Code.NOT_FOUND, "there is no volume " + volume);
            }
            return Optional.empty();
        }

        @Override
        public JsonNode askElsewhere(String volume, String command, ObjectNode args, Duration limit)
                throws AdminException {
            asked++;
            if (refusals-- > 0) {
                throw new AdminException(refusal, "refused");
            }
            return TextNode.valueOf(volume + " " + command + " " + limit.toSeconds());
        }
    }

    private static Object run(OwnerRelay.Owners owners, Duration wait, ObjectNode args) throws AdminException {
        OwnerRelay.AtOwner notHere = (owned, a) -> {
            throw new IllegalStateException("this node owns nothing");
        };
        return new OwnerRelay(owners, wait).anywhere("fsck", notHere, LIMIT).handle(args);
    }

    @Test
    void shouldAskTheOwnerElsewhere() throws Exception {
        Elsewhere owners = new Elsewhere(Code.FAILED, 0);
        assertThat(run(owners, Duration.ofMinutes(1), ARGS)).isEqualTo(TextNode.valueOf("v fsck 3"));
    }

    @Test
    void shouldAskAgainWhileThereIsNoOwner() throws Exception {
        Elsewhere owners = new Elsewhere(Code.UNAVAILABLE, 2);
        assertThat(run(owners, Duration.ofMinutes(1), ARGS)).isEqualTo(TextNode.valueOf("v fsck 3"));
        assertThat(owners.asked).isEqualTo(3);
    }

    @Test
    void shouldGiveUpWhenNoOwnerComes() {
        Elsewhere owners = new Elsewhere(Code.UNAVAILABLE, Integer.MAX_VALUE);
        assertThatThrownBy(() -> run(owners, Duration.ofMillis(1), ARGS)).hasMessage("refused");
    }

    @Test
    void shouldNotRepeatWhatTheOwnerMayHaveDone() {
        Elsewhere owners = new Elsewhere(Code.FAILED, 1);
        assertThatThrownBy(() -> run(owners, Duration.ofMinutes(1), ARGS)).hasMessage("refused");
        assertThat(owners.asked).isEqualTo(1);
    }

    @Test
    void shouldNotPassOnWhatAnotherNodeAsks() {
        Elsewhere owners = new Elsewhere(Code.FAILED, 0);
        OwnerRelay relay = new OwnerRelay(owners, Duration.ofMinutes(1));
        assertThatThrownBy(() -> relay.here((owned, args) -> "").handle(ARGS))
                .satisfies(e -> assertThat(((AdminException) e).code()).isEqualTo(Code.UNAVAILABLE));
        assertThat(owners.asked).isZero();
    }

    @Test
    void shouldSayWhichVolumeThereIsNot() {
        Elsewhere owners = new Elsewhere(Code.FAILED, 0);
        assertThatThrownBy(() ->
                        run(owners, Duration.ofMinutes(1), AdminClient.args().put("volume", "w")))
                .hasMessage("there is no volume w");
        assertThatThrownBy(() -> run(owners, Duration.ofMinutes(1), AdminClient.args()))
                .hasMessage("argument volume is missing");
    }
}
