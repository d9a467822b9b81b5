package io.tesserafs.fabric.brick;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.pmem.Pool;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Random calls against a plain model, cut by losses of power. At each, what had been answered is on the device; of the call under
 * way any words of 8 bytes are. So the test takes the start of the file before and after a call, mixes the two word by word, and
 * opens a second file with the mixture, on which it goes on. Sometimes power is lost again while that one repairs itself.
 */
class LocalBrickCrashTest {
    private static final int BLOCKS = 31;

    @TempDir
    Path directory;

    private Random random;
    private Path current;
    private Path spare;
    private LocalBrick brick;
    private BrickClient client;
    private long sequence;

    /** The model: what was answered. */
    private Set<BlockId> allocated;

    private Set<SessionId> fenced;
    private Map<BlockHandle, BrickClient> handles;

    @Test
    void shouldKeepWhatWasAnsweredThroughEveryCrash() throws Exception {
        current = TestPools.create(directory.resolve("one"));
        spare = TestPools.create(directory.resolve("two"));
        long firstSeed = Long.getLong("seed", 1);
        for (long seed = firstSeed; seed < firstSeed + 25; seed++) {
            try {
                run(seed);
            } catch (AssertionError | Exception e) {
                throw new AssertionError(
                        "seed " + seed + "; again with: mvn -pl rdma-fabric test -Dtest=LocalBrickCrashTest"
                                + " -Dseed=" + seed,
                        e);
            }
        }
    }

    private void run(long seed) throws Exception {
        random = new Random(seed);
        allocated = new HashSet<>();
        open();
        for (long id : client.list(BlockId.of(1, 0), BLOCKS)) {
            client.free(new BlockId(id));
        }
        for (int step = 0; step < 60; step++) {
            switch (random.nextInt(10)) {
                case 0, 1, 2 -> change(true);
                case 3, 4 -> change(false);
                case 5, 6 -> mapOrUnmap();
                case 7 -> fenceSomeone();
                default -> crashDuring(random.nextBoolean());
            }
            check();
        }
        if (random.nextBoolean()) {
            brick.close();
        } else {
            brick.abandon();
        }
    }

    private void open() throws Exception {
        brick = LocalBrick.open(Pool.open(current));
        client = brick.connect(new SessionId(1));
        fenced = new HashSet<>();
        handles = new HashMap<>();
    }

    private List<BlockId> change(boolean alloc) throws Exception {
        List<BlockId> ids = new ArrayList<>();
        int count = 1 + random.nextInt(6);
        if (alloc) {
            for (int i = 0; i < Math.min(count, BLOCKS - allocated.size()); i++) {
                ids.add(BlockId.of(1, sequence++));
            }
            client.alloc(ids.toArray(BlockId[]::new));
            allocated.addAll(ids);
        } else {
            List<BlockId> candidates = new ArrayList<>(new TreeSet<>(allocated));
            for (int i = 0; i < count && !candidates.isEmpty(); i++) {
                ids.add(candidates.remove(random.nextInt(candidates.size())));
            }
            client.free(ids.toArray(BlockId[]::new));
            ids.forEach(allocated::remove);
            handles.keySet().removeIf(h -> {
                boolean gone = ids.contains(h.block());
                if (gone) {
                    assertThat(h.alive()).isFalse();
                }
                return gone;
            });
        }
        return ids;
    }

    private void mapOrUnmap() throws Exception {
        if (!handles.isEmpty() && random.nextBoolean()) {
            var victim = handles.entrySet().iterator().next();
            victim.getValue().unmap(victim.getKey());
            assertThat(victim.getKey().alive()).isFalse();
            handles.remove(victim.getKey());
        } else if (!allocated.isEmpty()) {
            SessionId session = new SessionId(2 + random.nextInt(4));
            if (!fenced.contains(session)) {
                BrickClient other = brick.connect(session);
                handles.put(other.map(allocated.iterator().next(), Access.READ), other);
            }
        }
    }

    private void fenceSomeone() throws Exception {
        SessionId victim = new SessionId(2 + random.nextInt(4));
        client.fence(victim);
        fenced.add(victim);
        handles.entrySet().removeIf(e -> {
            boolean hit = e.getValue().session().equals(victim);
            if (hit) {
                assertThat(e.getKey().alive()).isFalse();
            }
            return hit;
        });
    }

    private void crashDuring(boolean alloc) throws Exception {
        byte[] before = TestPools.head(current);
        Set<BlockId> modelBefore = new HashSet<>(allocated);
        List<BlockId> underWay = change(alloc);
        byte[] after = TestPools.head(current);
        brick.abandon();
        handles.keySet().forEach(h -> assertThat(h.alive()).isFalse());

        byte[] image = before.clone();
        mixTables(image, after);
        openSpare(image);
        if (random.nextInt(3) == 0) {
            byte[] opened = TestPools.head(current);
            brick.abandon();
            openSpare(crashedWhileOpening(image, opened));
        }
        Set<BlockId> found = listed();
        for (BlockId id : underWay) {
            if (found.contains(id)) {
                modelBefore.add(id);
            } else {
                modelBefore.remove(id);
            }
        }
        allocated = modelBefore;
    }

    private void openSpare(byte[] image) throws Exception {
        TestPools.putHead(spare, image);
        Path other = current;
        current = spare;
        spare = other;
        open();
    }

    /** The header's copies are written one after the other, each flushed, and then the table is. */
    private byte[] crashedWhileOpening(byte[] before, byte[] after) {
        byte[] image = before.clone();
        switch (random.nextInt(3)) {
            case 0 -> mix(image, after, TestPools.HEADER_A, TestPools.HEADER_BYTES);
            case 1 -> {
                System.arraycopy(after, TestPools.HEADER_A, image, TestPools.HEADER_A, TestPools.HEADER_BYTES);
                mix(image, after, TestPools.HEADER_B, TestPools.HEADER_BYTES);
            }
            default -> {
                System.arraycopy(after, 0, image, 0, TestPools.TABLE_A);
                mixTables(image, after);
            }
        }
        return image;
    }

    private void mixTables(byte[] image, byte[] after) {
        mix(image, after, TestPools.TABLE_A, TestPools.TABLE_BYTES);
        mix(image, after, TestPools.TABLE_B, TestPools.TABLE_BYTES);
    }

    private void mix(byte[] image, byte[] after, int from, int length) {
        int bias = random.nextInt(101);
        for (int at = from; at < from + length; at += Long.BYTES) {
            if (random.nextInt(100) < bias) {
                System.arraycopy(after, at, image, at, Long.BYTES);
            }
        }
    }

    private Set<BlockId> listed() throws Exception {
        Set<BlockId> ids = new HashSet<>();
        for (long id : client.list(BlockId.of(1, 0), BLOCKS)) {
            ids.add(new BlockId(id));
        }
        return ids;
    }

    private void check() throws Exception {
        assertThat(listed()).isEqualTo(allocated);
        assertThat(brick.info().freeBlocks()).isEqualTo(BLOCKS - allocated.size());
        handles.keySet().forEach(h -> assertThat(h.alive()).isTrue());
    }
}
