package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class KeyWindowTest {
    /** How many are asked for with each call of a reader from front to back. */
    private static List<Integer> sizes(KeyWindow window, int from, int count) {
        List<Integer> sizes = new ArrayList<>();
        for (int at = from; at < count; ) {
            int end = window.claim(at);
            window.done(at, end);
            sizes.add(end - at);
            at = end;
        }
        return sizes;
    }

    @Test
    void shouldAskForMoreAndMoreOfWhoGoesOn() {
        assertThat(sizes(new KeyWindow(100, 0), 0, 100)).containsExactly(4, 8, 16, 32, 32, 8);
        assertThat(sizes(new KeyWindow(48, 1), 1, 48)).containsExactly(4, 8, 16, 19);
        assertThat(sizes(new KeyWindow(1, 0), 0, 1)).containsExactly(1);
    }

    @Test
    void shouldAskForOneOfWhoJumps() {
        KeyWindow window = new KeyWindow(1000, 1);
        for (int at = 990; at > 0; at -= 7) {
            int end = window.claim(at);
            window.done(at, end);
            assertThat(end).isEqualTo(at + 1);
        }
    }

    @Test
    void shouldStartSmallAgainAfterAJump() {
        KeyWindow window = new KeyWindow(1000, 0);
        assertThat(sizes(window, 0, 60)).containsExactly(4, 8, 16, 32);
        assertThat(sizes(window, 500, 530)).containsExactly(1, 4, 8, 16, 32);
    }

    @Test
    void shouldNotAskForWhatAnotherAsksFor() {
        KeyWindow window = new KeyWindow(100, 0);
        assertThat(window.claim(4)).isEqualTo(5);
        assertThat(window.claim(2)).isEqualTo(3);
        assertThat(window.claim(3)).isEqualTo(4);
        window.done(2, 3);
        window.done(3, 4);
        window.done(4, 5);
        assertThat(window.claim(4)).isEqualTo(12);
    }

    @Test
    void shouldHaveEveryHandleAskedForByOneAtATime() throws Exception {
        long seed = new Random().nextLong();
        System.out.println("seed " + seed);
        int count = 500;
        KeyWindow window = new KeyWindow(count, 0);
        BitSet underWay = new BitSet();
        BitSet prepared = new BitSet();
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            List<Future<?>> readers = new ArrayList<>();
            for (int reader = 0; reader < 4; reader++) {
                Random random = new Random(seed + reader);
                boolean inOrder = reader < 2;
                readers.add(threads.submit(() -> {
                    for (int i = 0; i < count; i++) {
                        int at = inOrder ? i : random.nextInt(count);
                        while (!isSet(prepared, at)) {
                            int end = window.claim(at);
                            if (end > at) {
                                assertThat(end - at).isLessThanOrEqualTo(KeyWindow.MAX);
                                enter(underWay, at, end);
                                leave(underWay, prepared, at, end);
                                window.done(at, end);
                            }
                        }
                    }
                    return null;
                }));
            }
            for (Future<?> reader : readers) {
                reader.get();
            }
        }
        assertThat(prepared.cardinality()).isEqualTo(count);
    }

    private static boolean isSet(BitSet set, int at) {
        synchronized (set) {
            return set.get(at);
        }
    }

    private static void enter(BitSet underWay, int from, int to) {
        synchronized (underWay) {
            assertThat(underWay.get(from, to).isEmpty()).isTrue();
            underWay.set(from, to);
        }
    }

    private static void leave(BitSet underWay, BitSet prepared, int from, int to) {
        synchronized (underWay) {
            underWay.clear(from, to);
        }
        synchronized (prepared) {
            prepared.set(from, to);
        }
    }
}
