package io.tesserafs.coherence.token;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.brick.SessionId;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ForesightTest {
    private static final SessionId A = new SessionId(1);
    private static final SessionId B = new SessionId(2);
    private static final SessionId C = new SessionId(3);
    private static final long PAGE = 4096;

    private final Foresight foresight = new Foresight();

    private long take(SessionId gainer, SessionId loser) {
        return foresight.taking(gainer, Set.of(loser), PAGE);
    }

    private long takeManyTimes(SessionId gainer, SessionId loser) {
        long last = 0;
        for (int i = 0; i < 100; i++) {
            last = take(gainer, loser);
        }
        return last;
    }

    @Test
    void shouldDoubleWhatOneTakesFromAnotherUpToALimit() {
        assertThat(take(A, B)).isZero();
        assertThat(take(A, B)).isEqualTo(2 * PAGE);
        assertThat(take(A, B)).isEqualTo(4 * PAGE);
        assertThat(takeManyTimes(A, B)).isEqualTo(Foresight.MAX_BYTES);
    }

    @Test
    void shouldLetSeveralWorkTheirWayThroughWhatAnotherLeft() {
        take(A, C);
        assertThat(take(B, C)).isEqualTo(2 * PAGE);
        assertThat(take(A, C)).isEqualTo(4 * PAGE);
    }

    @Test
    void shouldGiveNoMoreThanIsAskedForWhereTwoTakeFromEachOther() {
        take(A, B);
        take(A, B);
        assertThat(foresight.bytes()).isPositive();
        for (int i = 0; i < 50; i++) {
            assertThat(take(B, A)).isZero();
            assertThat(take(A, B)).isZero();
            assertThat(foresight.bytes()).isZero();
        }
    }

    @Test
    void shouldGoOnAfterAFightAndForgetItOnceMuchWasTaken() {
        for (int i = 0; i < 3; i++) { // each takes all in turn, as a writer and a reader of one file do
            assertThat(takeManyTimes(A, B)).isEqualTo(Foresight.MAX_BYTES);
            assertThat(takeManyTimes(B, A)).isEqualTo(Foresight.MAX_BYTES);
        }
    }
}
