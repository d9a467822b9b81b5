package io.tesserafs.fabric.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class StandStillTest {
    private static final long INTERVAL = 400;
    private static final long BEGIN = -1000;

    private final StandStill still = new StandStill(INTERVAL, BEGIN);

    @Test
    void shouldTakeLateLooksForWhatTheyAre() {
        assertThat(still.lookNs(BEGIN + 410)).isZero();
        assertThat(still.lookNs(BEGIN + 410 + 800)).isZero();
    }

    @Test
    void shouldTellHowLongNothingRan() {
        assertThat(still.lookNs(BEGIN + 400 + 1900)).isEqualTo(1900);
        assertThat(still.lookNs(BEGIN + 400 + 1900 + 400)).isZero();
    }
}
