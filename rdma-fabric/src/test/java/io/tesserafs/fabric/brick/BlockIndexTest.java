package io.tesserafs.fabric.brick;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class BlockIndexTest {
    @Test
    void shouldBehaveLikeAMap() {
        for (long seed = 1; seed <= 20; seed++) {
            Random random = new Random(seed);
            BlockIndex index = new BlockIndex();
            TreeMap<Long, Integer> model = new TreeMap<>(Long::compareUnsigned);
            // Few distinct ids, so that runs of neighbours form and break up again.
            int spread = random.nextBoolean() ? 300 : 100_000;
            for (int step = 0; step < 20_000; step++) {
                long id = BlockId.of(1 + random.nextInt(2) * 0x8000, random.nextInt(spread))
                        .value();
                if (random.nextInt(100) < 55) {
                    boolean added = model.putIfAbsent(id, step) == null;
                    assertThat(index.putIfAbsent(id, step)).as("seed %d", seed).isEqualTo(added);
                } else {
                    Integer removed = model.remove(id);
                    assertThat(index.remove(id))
                            .as("seed %d", seed)
                            .isEqualTo(removed == null ? BlockIndex.NONE : removed);
                }
            }
            assertThat(index.size()).isEqualTo(model.size());
            model.forEach((id, at) -> assertThat(index.get(id)).isEqualTo(at));
            assertThat(index.sortedIds())
                    .containsExactly(
                            model.keySet().stream().mapToLong(Long::longValue).toArray());
        }
    }

    @Test
    void shouldHoldAMillionSequentialIds() {
        BlockIndex index = new BlockIndex();
        for (int i = 0; i < 1_000_000; i++) {
            index.putIfAbsent(BlockId.of(7, i).value(), i);
        }
        for (int i = 0; i < 1_000_000; i += 2) {
            assertThat(index.remove(BlockId.of(7, i).value())).isEqualTo(i);
        }
        assertThat(index.size()).isEqualTo(500_000);
        assertThat(index.get(BlockId.of(7, 999_999).value())).isEqualTo(999_999);
        assertThat(index.get(BlockId.of(7, 999_998).value())).isEqualTo(BlockIndex.NONE);
    }
}
