package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class FlushWayTest {
    @Test
    void shouldFlushByTheDeviceWhatCameByItsQueuePair() {
        assertThat(FlushWay.of(false, true, true, true)).isEqualTo(FlushWay.DEVICE);
        assertThat(FlushWay.of(false, true, true, false)).isEqualTo(FlushWay.DEVICE);
    }

    @Test
    void shouldCallTheTargetForWhatCameAnotherWay() {
        assertThat(FlushWay.of(false, true, false, true)).isEqualTo(FlushWay.CALL);
        assertThat(FlushWay.of(false, true, false, false)).isEqualTo(FlushWay.ORDER);
    }

    @Test
    void shouldDoWithoutFlushWhereADeviceLacksIt() {
        assertThat(FlushWay.of(false, false, true, true)).isEqualTo(FlushWay.CALL);
        assertThat(FlushWay.of(false, false, true, false)).isEqualTo(FlushWay.ORDER);
    }

    @Test
    void shouldOnlyOrderWhatIsInMemory() {
        assertThat(FlushWay.of(true, true, true, true)).isEqualTo(FlushWay.ORDER);
        assertThat(FlushWay.of(true, false, false, true)).isEqualTo(FlushWay.ORDER);
    }

    @Test
    void shouldKnowWhichBytesOneQueuePairWrote() {
        WrittenRange written = new WrittenRange();
        assertThat(written.covers("one", 0, 0)).as("nothing was written").isFalse();
        written.wrote("one", 100, 50);
        written.wrote("one", 150, 50);
        written.wrote("one", 90, 20);
        written.wrote("one", 120, 10);
        assertThat(written.covers("one", 90, 110)).isTrue();
        assertThat(written.covers("one", 89, 2)).isFalse();
        assertThat(written.covers("one", 199, 2)).isFalse();
        assertThat(written.covers("other", 100, 1)).isFalse();
    }

    @Test
    void shouldForgetWhatDoesNotAdjoin() {
        WrittenRange written = new WrittenRange();
        written.wrote("one", 0, 10);
        written.wrote("one", 11, 10);
        assertThat(written.covers("one", 0, 21)).isFalse();
        assertThat(written.covers("one", 0, 10)).isFalse();
        assertThat(written.covers("one", 11, 10)).isTrue();
    }

    @Test
    void shouldForgetWhatWasWrittenBeforeAnotherWay() {
        WrittenRange written = new WrittenRange();
        written.wrote("one", 0, 10);
        written.wrote("other", 5, 10);
        assertThat(written.covers("one", 0, 5)).isFalse();
        assertThat(written.covers("other", 0, 15)).isFalse();
        assertThat(written.covers("other", 5, 10)).isTrue();
        written.forget();
        assertThat(written.covers("other", 5, 10)).isFalse();
    }
}
