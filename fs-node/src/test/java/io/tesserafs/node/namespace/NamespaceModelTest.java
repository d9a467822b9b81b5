package io.tesserafs.node.namespace;

import static io.tesserafs.node.namespace.OwnerFixture.ROOT_USER;
import static io.tesserafs.node.namespace.OwnerFixture.bytes;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Random operations on an owner and on a plain tree; the owner dies or closes now and then. Run one seed: -Dtest=NamespaceModelTest. */
class NamespaceModelTest {
    private static final int OPERATIONS = 6000;

    @TempDir
    Path directory;

    /** A node of the plain model: a directory with children, or a file with sizes of its tiles. */
    private static final class Node {
        final long ino;
        final boolean isDirectory;
        final Map<String, Node> children = new TreeMap<>();
        final Map<Long, Integer> tiles = new TreeMap<>();
        int links = 1;
        long size;

        Node(long ino, boolean isDirectory) {
            this.ino = ino;
            this.isDirectory = isDirectory;
        }
    }

    private final Node root = new Node(VolumeService.ROOT, true);
    private Random random;
    private OwnerFixture volume;

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(longs = {1, 2, 3, 4, 5, 6})
    void shouldBehaveLikeAPlainTreeThroughDeathsAndCheckpoints(long seed) throws Exception {
        random = new Random(seed);
        volume = new OwnerFixture(directory, 512L << 20, VolumeConfig.DEFAULT_MAX_INODES);
        long freeAtStart = volume.owner.statistics().free();
        try {
            for (int i = 0; i < OPERATIONS; i++) {
                step();
                if (random.nextInt(700) == 0) {
                    restart();
                }
                if (random.nextInt(1500) == 0) {
                    volume.owner.keeper().checkpointSoon();
                }
            }
            compare();
            empty(root);
            volume.stop();
            volume.start(true);
            compare();
            volume.owner.sync();
            volume.owner.keeper().space().reclaim();
            assertThat(freeAtStart - volume.owner.statistics().free())
                    .as("4 KiB units that an empty volume still uses, beside its log and checkpoint")
                    .isLessThan(20 * 512);
        } finally {
            volume.close();
        }
    }

    private void restart() throws Exception {
        if (random.nextInt(4) == 0) {
            volume.stop();
            volume.start(true);
        } else {
            volume.crashAndRestart();
        }
        compare();
    }

    private void step() throws Exception {
        List<Node> directories = new ArrayList<>();
        collect(root, directories);
        Node dir = directories.get(random.nextInt(directories.size()));
        String name = "n" + random.nextInt(40);
        Node existing = dir.children.get(name);
        long now = volume.now();
        switch (random.nextInt(10)) {
            case 0, 1, 2 -> {
                if (existing == null) {
                    boolean isDir = random.nextInt(4) == 0;
                    long ino = isDir ? volume.mkdir(dir.ino, name) : volume.file(dir.ino, name);
                    dir.children.put(name, new Node(ino, isDir));
                }
            }
            case 3, 4, 5 -> {
                if (existing != null && !existing.isDirectory) {
                    long tile = random.nextInt(3);
                    int length = 1 + random.nextInt(tile == 0 ? 200_000 : 2 << 20);
                    ExtentRef ref = volume.owner.allocate(length, volume.client.brick());
                    existing.size = Math.max(existing.size, (tile << 21) + length);
                    existing.tiles.put(tile, length);
                    volume.commit(
                            existing.ino, List.of(new Extent(tile, ref, length)), existing.size, random.nextBoolean());
                }
            }
            case 6 -> {
                if (existing != null && !existing.isDirectory) {
                    long size = random.nextInt(6 << 20);
                    volume.owner.truncate(existing.ino, size, false, now);
                    existing.tiles.entrySet().removeIf(e -> e.getKey() << 21 >= size);
                    existing.tiles.replaceAll((tile, valid) -> (int) Math.min(valid, size - (tile << 21)));
                    existing.size = size;
                }
            }
            case 7 -> {
                if (existing != null && (!existing.isDirectory || existing.children.isEmpty())) {
                    remove(dir, name, existing);
                }
            }
            case 8 -> rename(dir, name, existing, directories.get(random.nextInt(directories.size())));
            default -> {
                if (existing != null && !existing.isDirectory) {
                    String other = "l" + random.nextInt(40);
                    if (!dir.children.containsKey(other)) {
                        volume.owner.link(existing.ino, dir.ino, bytes(other), now);
                        dir.children.put(other, existing);
                        existing.links++;
                    }
                }
            }
        }
    }

    private void remove(Node dir, String name, Node node) throws FsException {
        if (node.isDirectory) {
            volume.owner.rmdir(dir.ino, bytes(name), volume.now());
        } else {
            volume.owner.unlink(dir.ino, bytes(name), volume.now());
        }
        dir.children.remove(name);
        gone(node);
    }

    private void gone(Node node) {
        if (--node.links == 0) {
            volume.owner.unreferenced(node.ino);
        }
    }

    private void rename(Node from, String name, Node moved, Node to) throws FsException {
        String newName = "n" + random.nextInt(40);
        Node target = to.children.get(newName);
        boolean loop = moved != null && moved.isDirectory && contains(moved, to);
        boolean fits =
                target == null || moved != null && target.isDirectory == moved.isDirectory && target.children.isEmpty();
        if (moved == null || loop || !fits) {
            try {
                volume.owner.rename(from.ino, bytes(name), to.ino, bytes(newName), 0, volume.now());
                assertThat(moved == target && moved != null)
                        .as("rename should have failed")
                        .isTrue();
            } catch (FsException expected) {
                assertThat(expected.errno()).isPositive();
            }
            return;
        }
        volume.owner.rename(from.ino, bytes(name), to.ino, bytes(newName), 0, volume.now());
        if (target == moved) {
            return;
        }
        from.children.remove(name);
        to.children.put(newName, moved);
        if (target != null) {
            gone(target);
        }
    }

    private static boolean contains(Node tree, Node wanted) {
        return tree == wanted || tree.children.values().stream().anyMatch(c -> contains(c, wanted));
    }

    private static void collect(Node dir, List<Node> into) {
        into.add(dir);
        dir.children.values().stream().filter(c -> c.isDirectory).forEach(c -> collect(c, into));
    }

    private void empty(Node dir) throws FsException {
        for (Map.Entry<String, Node> entry : List.copyOf(dir.children.entrySet())) {
            if (entry.getValue().isDirectory) {
                empty(entry.getValue());
            }
            remove(dir, entry.getKey(), entry.getValue());
        }
    }

    private void compare() throws Exception {
        assertThat(volume.check().problems()).isEmpty();
        compare(root);
    }

    private void compare(Node dir) throws FsException {
        Map<String, Long> seen = new TreeMap<>();
        volume.owner.readdir(dir.ino, 0, (name, cookie, attr) -> {
            seen.put(new String(name, StandardCharsets.UTF_8), attr.ino());
            return true;
        });
        Map<String, Long> expected = new TreeMap<>();
        dir.children.forEach((name, node) -> expected.put(name, node.ino));
        assertThat(seen).isEqualTo(expected);
        for (Map.Entry<String, Node> entry : dir.children.entrySet()) {
            Node node = entry.getValue();
            InodeAttr attr = volume.owner.lookup(dir.ino, bytes(entry.getKey()));
            assertThat(attr.isDirectory()).isEqualTo(node.isDirectory);
            assertThat(attr.uid()).isEqualTo(ROOT_USER.uid());
            if (node.isDirectory) {
                compare(node);
            } else {
                assertThat(attr.nlink()).isEqualTo(node.links);
                assertThat(attr.size()).isEqualTo(node.size);
                Map<Long, Integer> tiles = new TreeMap<>();
                volume.owner.layout(node.ino, 0, 1000).forEach(e -> tiles.put(e.tile(), e.validBytes()));
                assertThat(tiles).isEqualTo(node.tiles);
            }
        }
    }
}
