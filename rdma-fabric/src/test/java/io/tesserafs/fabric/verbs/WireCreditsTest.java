package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Random;
import org.junit.jupiter.api.Test;

class WireCreditsTest {
    private static final int RECEIVES = 8;
    private static final int ROUNDS = 300;
    private static final int STEPS = 2000;

    /** One side, and what is on its way to it. */
    private static final class Side {
        final WireCredits credits = new WireCredits(RECEIVES);
        final Deque<Integer> arriving = new ArrayDeque<>();
        int posted = RECEIVES;
        int unread;
        int sent;

        void send(Side to) {
            to.arriving.add(credits.send());
            sent++;
        }

        /** The device takes a receive, or would have to say that there is none. */
        void take() throws IOException {
            assertThat(posted).as("receives posted").isPositive();
            posted--;
            unread++;
            credits.received(arriving.remove());
        }

        void read(Side peer) {
            unread--;
            posted++;
            credits.posted();
            if (credits.isReturnDue()) {
                send(peer);
            }
        }
    }

    @Test
    void shouldNeverSendToAPeerWithoutAReceiveNorStall() throws Exception {
        long seed = new Random().nextLong();
        System.out.println("WireCreditsTest seed " + seed);
        Random random = new Random(seed);
        for (int round = 0; round < ROUNDS; round++) {
            Side[] sides = {new Side(), new Side()};
            int bias = random.nextInt(10);
            for (int step = 0; step < STEPS; step++) {
                Side one = sides[random.nextInt(10) < bias ? 0 : 1];
                Side other = one.equals(sides[0]) ? sides[1] : sides[0];
                switch (random.nextInt(3)) {
                    case 0 -> {
                        if (one.credits.maySend()) {
                            one.send(other);
                        }
                    }
                    case 1 -> {
                        if (!one.arriving.isEmpty()) {
                            one.take();
                        }
                    }
                    default -> {
                        if (one.unread > 0) {
                            one.read(other);
                        }
                    }
                }
            }
            settle(sides);
            for (Side side : sides) {
                assertThat(side.credits.maySend())
                        .as("seed %d, round %d: when all has been read", seed, round)
                        .isTrue();
            }
        }
    }

    private static void settle(Side[] sides) throws IOException {
        boolean moved = true;
        while (moved) {
            moved = false;
            for (int i = 0; i < 2; i++) {
                while (!sides[i].arriving.isEmpty()) {
                    sides[i].take();
                    moved = true;
                }
                while (sides[i].unread > 0) {
                    sides[i].read(sides[1 - i]);
                    moved = true;
                }
            }
        }
    }

    @Test
    void shouldComeToRestWhenNobodyHasBytes() throws Exception {
        Side[] sides = {new Side(), new Side()};
        while (sides[0].credits.maySend()) {
            sides[0].send(sides[1]);
        }
        int before = sides[0].sent;
        settle(sides);
        assertThat(sides[0].sent - before + sides[1].sent).isLessThan(RECEIVES);
    }

    @Test
    void shouldKeepOneForReturning() throws Exception {
        WireCredits credits = new WireCredits(RECEIVES);
        for (int i = 0; i < RECEIVES - 1; i++) {
            assertThat(credits.maySend()).isTrue();
            credits.send();
        }
        assertThat(credits.maySend()).isFalse();
        for (int i = 0; i < RECEIVES / 2; i++) {
            assertThat(credits.isReturnDue()).isFalse();
            credits.received(0);
            credits.posted();
        }
        assertThat(credits.isReturnDue()).isTrue();
        assertThat(credits.send()).isEqualTo(RECEIVES / 2);
        assertThatThrownBy(credits::send).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void shouldCatchAPeerThatSendsMoreThanItMay() throws Exception {
        WireCredits credits = new WireCredits(RECEIVES);
        for (int i = 0; i < RECEIVES; i++) {
            credits.received(0);
            credits.posted(); // there would be room, but the peer cannot know
        }
        assertThatThrownBy(() -> credits.received(0)).hasMessageContaining("more than it was allowed");
    }

    @Test
    void shouldCatchAPeerThatAllowsMoreThanItCan() throws Exception {
        WireCredits credits = new WireCredits(RECEIVES);
        credits.send();
        credits.received(1);
        assertThatThrownBy(() -> credits.received(1)).hasMessageContaining("more than it can take");
    }
}
