package io.tesserafs.coherence.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class LeaseTest {
    private static final long MS = 1_000_000;

    @Test
    void shouldCountFromWhenTheRenewalWasSentMinusTheMargin() {
        Lease lease = new Lease(5_000, 500, 0);
        assertThat(lease.isValid(4_500 * MS - 1)).isTrue();
        assertThat(lease.isValid(4_500 * MS)).isFalse();
        // Sent at 1 s, answered at 3 s: valid until 5.5 s, not 7.5 s.
        assertThat(lease.renewed(1_000 * MS, 3_000 * MS)).isTrue();
        assertThat(lease.remainingNs(3_000 * MS)).isEqualTo(2_500 * MS);
        assertThat(lease.isValid(5_500 * MS)).isFalse();
    }

    @Test
    void shouldNotBeRevivedByALateAnswerNorShortenedByAnOldOne() {
        Lease lease = new Lease(1_000, 100, 0);
        assertThat(lease.renewed(500 * MS, 600 * MS)).isTrue();
        assertThat(lease.renewed(200 * MS, 700 * MS)).isTrue();
        assertThat(lease.isValid(1_399 * MS)).isTrue();
        assertThat(lease.renewed(1_300 * MS, 1_400 * MS)).isFalse();
        assertThat(lease.isValid(1_400 * MS)).isFalse();
        assertThat(lease.remainingNs(1_400 * MS)).isZero();
    }

    @Test
    void shouldSurviveAClockThatWraps() {
        long sent = Long.MAX_VALUE - 10 * MS;
        Lease lease = new Lease(1_000, 100, sent);
        assertThat(lease.isValid(sent + 899 * MS)).isTrue();
        assertThat(lease.isValid(sent + 901 * MS)).isFalse();
    }

    @Test
    void shouldRefuseAMarginThatLeavesNothing() {
        assertThatThrownBy(() -> new Lease(100, 100, 0)).isInstanceOf(IllegalArgumentException.class);
    }
}
