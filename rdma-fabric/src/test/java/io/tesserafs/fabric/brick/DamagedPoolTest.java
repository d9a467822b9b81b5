package io.tesserafs.fabric.brick;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.fabric.pmem.PoolException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Flipped bits in the file: a brick has exactly the blocks it had, or it does not open and the file stays as it is. */
class DamagedPoolTest {
    private static final SessionId SESSION = new SessionId(1);

    @TempDir
    Path directory;

    private Path path;
    private byte[] good;
    private long[] blocks;

    @BeforeEach
    void fillPool() throws Exception {
        path = TestPools.create(directory.resolve("pool"));
        Random random = new Random(42);
        try (LocalBrick brick = LocalBrick.open(Pool.open(path));
                BrickClient client = brick.connect(SESSION)) {
            for (int i = 0; i < 31; i++) {
                client.alloc(BlockId.of(1, 1000 + i));
            }
            for (int i = 0; i < 31; i++) {
                if (random.nextBoolean()) {
                    client.free(BlockId.of(1, 1000 + i));
                }
            }
            blocks = client.list(BlockId.of(1, 0), 100);
        }
        good = TestPools.head(path);
    }

    private void flip(Random random, byte[] head, int bits) {
        int[] areas = {TestPools.HEADER_A, TestPools.HEADER_B, TestPools.TABLE_A, TestPools.TABLE_B};
        for (int i = 0; i < bits; i++) {
            int area = random.nextInt(areas.length);
            int length = area < 2 ? TestPools.HEADER_BYTES : TestPools.TABLE_BYTES;
            head[areas[area] + random.nextInt(length)] ^= (byte) (1 << random.nextInt(8));
        }
    }

    /** Returns whether the brick opened; then it was right. */
    private boolean opensRightOrNotAtAll(byte[] head) throws Exception {
        TestPools.putHead(path, head);
        try (LocalBrick brick = LocalBrick.open(Pool.open(path));
                BrickClient client = brick.connect(SESSION)) {
            assertThat(client.list(BlockId.of(1, 0), 100)).containsExactly(blocks);
            for (int volume = 0; volume <= 0xFFFF; volume++) {
                if (volume != 1) {
                    assertThat(client.list(new BlockId((long) volume << 48), 1)).isEmpty();
                }
            }
            return true;
        } catch (IOException e) {
            if (e instanceof BrickException b) {
                assertThat(b.reason()).isEqualTo(Reason.CORRUPT);
            } else {
                assertThat(((PoolException) e).reason())
                        .isIn(PoolException.Reason.DAMAGED, PoolException.Reason.NOT_A_POOL);
            }
            assertThat(e).hasMessageContaining("pool " + path);
            assertThat(TestPools.head(path)).isEqualTo(head);
            return false;
        }
    }

    @Test
    void shouldLoseNothingToOneFlippedBit() throws Exception {
        for (long seed = 1; seed <= 150; seed++) {
            byte[] head = good.clone();
            flip(new Random(seed), head, 1);
            assertThat(opensRightOrNotAtAll(head)).as("seed %d", seed).isTrue();
        }
    }

    @Test
    void shouldBeRightOrRefuseAfterManyFlippedBits() throws Exception {
        int refused = 0;
        for (long seed = 1; seed <= 150; seed++) {
            Random random = new Random(seed);
            byte[] head = good.clone();
            flip(random, head, 2 + random.nextInt(40));
            refused += opensRightOrNotAtAll(head) ? 0 : 1;
        }
        assertThat(refused).isBetween(1, 149);
    }
}
