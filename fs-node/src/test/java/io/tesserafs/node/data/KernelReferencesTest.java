package io.tesserafs.node.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class KernelReferencesTest {
    private final KernelReferences references = new KernelReferences();

    @Test
    void shouldCountUntilTheLastIsForgotten() {
        references.add(7, false);
        references.add(7, false);
        references.add(7, false);
        assertThat(references.remove(7, 2)).isFalse();
        assertThat(references.has(7)).isTrue();
        assertThat(references.remove(7, 1)).isTrue();
        assertThat(references.has(7)).isFalse();
    }

    @Test
    void shouldTakeForgettingMoreThanThereAreForTheLast() {
        references.add(7, true);
        assertThat(references.remove(7, 5)).isTrue();
        assertThat(references.has(7)).isFalse();
        assertThat(references.remove(8, 1)).isTrue();
    }

    @Test
    void shouldRememberWhatIsADirectoryForAsLongAsItIsKnown() {
        references.add(7, true);
        references.add(7, true);
        references.add(8, false);
        references.remove(7, 1);
        assertThat(references.isDirectory(7)).isTrue();
        assertThat(references.isDirectory(8)).isFalse();
        references.remove(7, 1);
        assertThat(references.isDirectory(7)).isFalse();
    }

    @Test
    void shouldVisitEachInodeOnceAndAllowChangesMeanwhile() {
        for (long ino = 1; ino <= 100; ino++) {
            references.add(ino, ino % 2 == 0);
        }
        List<Long> seen = new ArrayList<>();
        references.forEach(ino -> {
            seen.add(ino);
            references.remove(ino, 1);
        });
        assertThat(seen).hasSize(100).doesNotHaveDuplicates();
        assertThat(references.inodes()).isZero();
    }

    @Test
    void shouldLoseNoReferenceAmongThreads() throws InterruptedException {
        int threads = 4;
        int rounds = 10_000;
        CountDownLatch start = new CountDownLatch(1);
        List<Thread> all = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
            all.add(Thread.ofPlatform().start(() -> {
                try {
                    start.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
                for (int i = 0; i < rounds; i++) {
                    references.add(i & 31, false);
                }
            }));
        }
        start.countDown();
        for (Thread thread : all) {
            thread.join();
        }
        for (int ino = 0; ino < 32; ino++) {
            long total = (long) threads * ((rounds + 31 - ino) / 32);
            assertThat(references.remove(ino, total - 1)).isFalse();
            assertThat(references.remove(ino, 1)).isTrue();
        }
    }
}
