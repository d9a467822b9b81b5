package io.tesserafs.node.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.coherence.token.Resource;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.VolumeService;
import io.tesserafs.node.session.KnownMetadata.Span;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class KnownMetadataTest {
    private static final long DIR = 3;
    private static final byte[] NAME = "name".getBytes(StandardCharsets.UTF_8);
    private static final int MORE_THAN_FIT = 100_000;

    /** Since when each resource is held. */
    private final Map<Resource, Long> heldSince = new HashMap<>();

    private final KnownMetadata known =
            new KnownMetadata((resource, sequence) -> sequence >= heldSince.getOrDefault(resource, Long.MAX_VALUE));

    private static InodeAttr file(long ino, long size) {
        return new InodeAttr(ino, InodeAttr.S_IFREG | 0644, 1, 0, 0, 0, size, 0, 0, 0, 0, 0);
    }

    private static Span span(long began, long ended) {
        return new Span(began, ended);
    }

    @Test
    void shouldKnowAttributesForAsLongAsTheirTokenStays() {
        heldSince.put(Resource.attributes(7), 5L);
        known.learn(file(7, 1), 5, span(1, 2));
        assertThat(known.attributes(7)).isEqualTo(file(7, 1));
        heldSince.put(Resource.attributes(7), 6L); // given up, and had again
        assertThat(known.attributes(7)).isNull();
    }

    @Test
    void shouldMakeNothingOfAnAnswerWithoutAToken() {
        heldSince.put(Resource.attributes(7), 0L);
        known.learn(file(7, 1), 0, span(1, 2));
        assertThat(known.attributes(7)).isNull();
    }

    @Test
    void shouldNotTakeAnAnswerFromBeforeAChangeForLaterBecauseItArrivesLater() {
        heldSince.put(Resource.attributes(7), 5L);
        known.learnChange(file(7, 2), 5, span(3, 4));
        known.learn(file(7, 1), 5, span(1, 2));
        assertThat(known.attributes(7)).isEqualTo(file(7, 2));
        known.learn(file(7, 3), 5, span(5, 6));
        assertThat(known.attributes(7)).isEqualTo(file(7, 3));
    }

    @Test
    void shouldKnowNothingAfterChangesThatOverlapped() {
        heldSince.put(Resource.attributes(7), 5L);
        known.learnChange(file(7, 1), 5, span(1, 4));
        known.learnChange(file(7, 2), 5, span(2, 3));
        assertThat(known.attributes(7)).isNull();
        known.learn(file(7, 9), 5, span(3, 5)); // perhaps from before one of them
        assertThat(known.attributes(7)).isNull();
        known.learn(file(7, 2), 5, span(6, 7));
        assertThat(known.attributes(7)).isEqualTo(file(7, 2));
    }

    @Test
    void shouldKnowNothingAfterAChangeThatDidNotSayWhat() {
        heldSince.put(Resource.attributes(7), 5L);
        known.learn(file(7, 1), 5, span(1, 2));
        known.learnChange(7, span(3, 4));
        assertThat(known.attributes(7)).isNull();
    }

    @Test
    void shouldKnowThatThereIsNothingInANewDirectoryButWhatWasMadeThere() {
        heldSince.put(Resource.entries(DIR), 5L);
        assertThat(known.name(DIR, NAME)).isEqualTo(VolumeService.UNKNOWN);
        known.learnEmpty(DIR, 5, span(1, 2));
        assertThat(known.name(DIR, NAME)).isZero();
        known.learnNameChange(DIR, NAME, 8, 5, span(3, 4));
        assertThat(known.name(DIR, NAME)).isEqualTo(8);
        known.learnNameChange(DIR, NAME, 0, 5, span(5, 6));
        known.learnName(DIR, NAME, 8, 5, span(4, 7)); // from before
        assertThat(known.name(DIR, NAME)).isZero();
        heldSince.remove(Resource.entries(DIR));
        assertThat(known.name(DIR, NAME)).isEqualTo(VolumeService.UNKNOWN);
    }

    @Test
    void shouldLearnNothingOlderThanWhatItHadToForget() {
        heldSince.put(Resource.attributes(7), 5L);
        known.learnChange(7, span(10, 11));
        for (int i = 100; i < MORE_THAN_FIT; i++) {
            known.learn(file(i, 1), 5, span(12 + i, 12 + i));
        }
        known.learn(file(7, 1), 5, span(9, 10));
        assertThat(known.attributes(7)).isNull();
        heldSince.put(Resource.attributes(MORE_THAN_FIT - 1), 5L);
        assertThat(known.attributes(MORE_THAN_FIT - 1)).isNotNull();
    }

    @Test
    void shouldNotBelieveADirectoryCompleteOfWhichItForgotNames() {
        heldSince.put(Resource.entries(DIR), 5L);
        known.learnEmpty(DIR, 5, span(1, 2));
        for (int i = 0; i < MORE_THAN_FIT; i++) {
            byte[] name = Integer.toString(i).getBytes(StandardCharsets.UTF_8);
            known.learnNameChange(DIR, name, 100 + i, 5, span(3 + i, 3 + i));
        }
        assertThat(known.name(DIR, "0".getBytes(StandardCharsets.UTF_8))).isEqualTo(VolumeService.UNKNOWN);
    }
}
