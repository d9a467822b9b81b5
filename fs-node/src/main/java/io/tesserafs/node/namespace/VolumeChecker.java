package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;

/**
 * Checks a volume's namespace, extents and blocks against each other: every name leads to an inode and every inode is reached by as many names as it
 * counts; extents are sound and do not overlap; what they, the log and the checkpoint use is what the brick has allocated.
 */
public final class VolumeChecker {
    /** A broken volume may have millions; the first ones tell what is wrong. */
    private static final int MAX_PROBLEMS = 100;

    private final String volume;
    private final Tables tables;
    private final List<String> problems = new ArrayList<>();
    private final List<String> notes = new ArrayList<>();
    /** By brick. */
    private final Map<Integer, Set<Long>> referenced = new TreeMap<>();

    private long directories;
    private long extents;
    private int more;

    private VolumeChecker(String volume, Tables tables) {
        this.volume = volume;
        this.tables = tables;
    }

    /** Checks a volume in use. Changes wait until it is done: about a second for a million inodes. */
    public static CheckReport checkOnline(VolumeOwner owner) throws IOException {
        return owner.keeper().paused((own, allocated) -> {
            OwnerCore core = owner.core();
            VolumeChecker checker = new VolumeChecker(core.config.name(), core.tables);
            checker.checkTree();
            checker.checkExtents();
            long blocks = 0;
            for (Map.Entry<Integer, Set<Long>> brick : allocated.entrySet()) {
                BrickId id = new BrickId(brick.getKey());
                Set<Long> log = own.getOrDefault(brick.getKey(), Set.of());
                Set<Long> known = new HashSet<>(log);
                known.addAll(core.spaces.of(id).knownBlocks());
                checker.uses(id).addAll(log);
                checker.checkBlocks(id, brick.getValue(), known::contains, "leaked: allocated, but nothing knows it");
                blocks += brick.getValue().size();
            }
            checker.noteUnseen(allocated.keySet());
            return checker.report(blocks);
        });
    }

    /**
     * Checks what a log gave, without an owner.
     *
     * @param own blocks of log and checkpoint
     * @param allocated what the one brick has that can be looked at
     */
    static CheckReport checkReplayed(
            String volume, Recovery.Result found, Set<Long> own, Set<Long> allocated, BrickId brick) {
        VolumeChecker checker = new VolumeChecker(volume, found.tables());
        checker.checkTree();
        checker.checkExtents();
        Set<Long> used = checker.uses(brick);
        used.addAll(own);
        long unused = allocated.stream().filter(block -> !used.contains(block)).count();
        if (unused > 0) {
            checker.notes.add(unused + " blocks were reserved or being freed; the next start reclaims them");
        }
        if (found.torn()) {
            checker.notes.add("the log ends in an unfinished record, which was never acknowledged");
        }
        checker.checkBlocks(brick, allocated, block -> true, "");
        checker.noteUnseen(Set.of(brick.value()));
        return checker.report(allocated.size());
    }

    private Set<Long> uses(BrickId brick) {
        return referenced.computeIfAbsent(brick.value(), b -> new HashSet<>());
    }

    private void noteUnseen(Set<Integer> seen) {
        referenced.forEach((brick, blocks) -> {
            if (!seen.contains(brick)) {
                notes.add(
                        "brick b" + brick + " cannot be looked at: " + blocks.size() + " blocks there are not checked");
            }
        });
    }

    private void checkTree() {
        Map<Long, Integer> names = new HashMap<>();
        Set<Long> reached = new HashSet<>();
        List<Long> queue = new ArrayList<>();
        Inode root = tables.inode(VolumeService.ROOT);
        if (root == null || root.directory() == null) {
            problem("the root is missing or no directory");
            return;
        }
        queue.add(root.ino);
        reached.add(root.ino);
        while (!queue.isEmpty()) {
            Inode dir = tables.inode(queue.removeLast());
            Directory entries = dir == null ? null : dir.directory();
            if (dir == null || entries == null) {
                continue;
            }
            int subdirectories = 0;
            int live = 0;
            for (int slot = 0; slot < entries.slots(); slot++) {
                byte[] name = entries.nameAt(slot);
                if (name == null) {
                    continue;
                }
                long ino = entries.inoAt(slot);
                live++;
                if (entries.find(name) != ino) {
                    problem("directory " + dir.ino + ": entry '" + printable(name) + "' is not found by its name");
                }
                Inode child = tables.inode(ino);
                if (child == null) {
                    problem("directory " + dir.ino + ": entry '" + printable(name) + "' leads to inode " + ino
                            + ", which is not there");
                    continue;
                }
                names.merge(ino, 1, Integer::sum);
                if (child.isDirectory()) {
                    subdirectories++;
                    checkChildDirectory(dir, name, child);
                }
                if (reached.add(ino) && child.isDirectory()) {
                    queue.add(ino);
                }
            }
            if (live != entries.size()) {
                problem("directory " + dir.ino + " counts " + entries.size() + " entries, but has " + live);
            }
            if (dir.nlink != 2 + subdirectories) {
                problem("directory " + dir.ino + " has link count " + dir.nlink + ", but " + subdirectories
                        + " subdirectories");
            }
        }
        tables.forEach(inode -> checkReached(inode, reached.contains(inode.ino), names.getOrDefault(inode.ino, 0)));
    }

    private void checkChildDirectory(Inode dir, byte[] name, Inode child) {
        Directory entries = child.directory();
        if (entries == null) {
            problem("directory " + child.ino + " has no entries table");
        } else if (entries.parent() != dir.ino) {
            problem("directory " + child.ino + " ('" + printable(name) + "') is in " + dir.ino + ", but says "
                    + entries.parent());
        }
    }

    private void checkReached(Inode inode, boolean reached, int names) {
        if (inode.isDirectory()) {
            directories++;
        }
        if (!reached && inode.nlink > 0) {
            problem("inode " + inode.ino + " has link count " + inode.nlink + ", but no name leads to it");
        } else if (!reached) {
            notes.add("inode " + inode.ino + " has no name any more and goes when it is closed");
        } else if (!inode.isDirectory() && inode.nlink != names) {
            problem("inode " + inode.ino + " has link count " + inode.nlink + ", but " + names + " names");
        } else if (inode.isDirectory() && inode.ino != VolumeService.ROOT && names != 1) {
            problem("directory " + inode.ino + " has " + names + " names");
        }
    }

    private void checkExtents() {
        Map<Integer, Space> claimed = new HashMap<>();
        Set<Long> whole = new HashSet<>();
        tables.forEach(inode -> {
            ExtentMap map = inode.extents();
            long units = 0;
            for (int i = 0; map != null && i < map.count(); i++) {
                extents++;
                long block = map.blockAt(i);
                long packed = map.packedAt(i);
                units += ExtentMap.capacity(packed) / 512;
                boolean isWhole = ExtentMap.capacity(packed) == BlockId.BLOCK_BYTES;
                BrickId brick = ExtentMap.brick(packed);
                String wrong = ExtentMap.wellFormed(packed)
                        ? claimed.computeIfAbsent(brick.value(), b -> new Space(brick, false))
                                .claim(block, packed)
                        : "malformed";
                if (wrong == null && (isWhole ? !whole.add(block) : whole.contains(block))) {
                    wrong = "block " + new BlockId(block) + " is used twice";
                }
                if (wrong != null) {
                    problem("inode " + inode.ino + " tile " + map.tileAt(i) + ": " + wrong);
                }
                if (i > 0 && map.tileAt(i) <= map.tileAt(i - 1)) {
                    problem("inode " + inode.ino + ": extents out of order at tile " + map.tileAt(i));
                }
                uses(brick).add(block);
            }
            if (inode.isRegular() && units != inode.blocks) {
                problem("inode " + inode.ino + " counts " + inode.blocks + " units, its extents have " + units);
            }
        });
    }

    private void checkBlocks(BrickId brick, Set<Long> allocated, Predicate<Long> mayBeUnreferenced, String otherwise) {
        Set<Long> used = uses(brick);
        for (long block : used) {
            if (!allocated.contains(block)) {
                problem("block " + new BlockId(block) + " is in use, but brick " + brick + " does not have it");
            }
        }
        for (long block : allocated) {
            if (!used.contains(block) && !mayBeUnreferenced.test(block)) {
                problem("block " + new BlockId(block) + " on brick " + brick + " is " + otherwise);
            }
        }
    }

    private void problem(String text) {
        if (problems.size() < MAX_PROBLEMS) {
            problems.add(text);
        } else {
            more++;
        }
    }

    private CheckReport report(long blocks) {
        if (more > 0) {
            problems.add("and " + more + " more");
        }
        return new CheckReport(volume, tables.inodeCount(), directories, extents, blocks, problems, notes);
    }

    private static String printable(byte[] name) {
        return new String(name, java.nio.charset.StandardCharsets.UTF_8);
    }

    /** Work of {@link OwnerKeeper#paused}: sees the log's and checkpoint's blocks, and all that the bricks have for the volume; by brick. */
    interface Paused<T> {
        T with(Map<Integer, Set<Long>> own, Map<Integer, Set<Long>> allocated) throws BrickException;
    }
}
