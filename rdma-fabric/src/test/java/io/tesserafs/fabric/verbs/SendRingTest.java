package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SendRingTest {
    private static final int PLACES = 16;

    @Test
    void shouldAlwaysGetPlacesBackFromThoseThatReport() {
        long seed = new Random().nextLong();
        System.out.println("SendRingTest seed " + seed);
        Random random = new Random(seed);
        SendRing ring = new SendRing(PLACES);
        Deque<Integer> reports = new ArrayDeque<>();
        int[] silent = {0};
        int expected = 0;
        for (int step = 0; step < 100_000; step++) {
            if (ring.hasFree() && random.nextInt(3) > 0) {
                assertThat(ring.take()).as("seed %d", seed).isEqualTo(expected);
                if (ring.mustReport()) {
                    reports.add(expected);
                    silent[0] = 0;
                } else {
                    silent[0]++;
                }
                assertThat(silent[0]).isLessThan(PLACES / 2);
                expected = (expected + 1) % PLACES;
            } else if (!ring.hasFree() || random.nextBoolean()) {
                assertThat(ring.hasFree() || !reports.isEmpty())
                        .as("seed %d: full, and nothing will report", seed)
                        .isTrue();
                if (!reports.isEmpty()) {
                    ring.completed(reports.remove());
                    assertThat(ring.hasFree()).isTrue();
                }
            }
        }
    }

    @Test
    void shouldRefuseReportsOfPlacesThatAreNotInUse() {
        SendRing ring = new SendRing(PLACES);
        assertThatThrownBy(() -> ring.completed(0)).isInstanceOf(IllegalStateException.class);
        ring.take();
        ring.take();
        assertThatThrownBy(() -> ring.completed(2)).isInstanceOf(IllegalStateException.class);
        ring.completed(1);
        assertThatThrownBy(() -> ring.completed(1)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void shouldRefuseMoreThanItHasPlacesFor() {
        SendRing ring = new SendRing(PLACES);
        for (int i = 0; i < PLACES; i++) {
            ring.take();
        }
        assertThat(ring.hasFree()).isFalse();
        assertThatThrownBy(ring::take).isInstanceOf(IllegalStateException.class);
    }
}
