package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Pools damaged while nobody looked: shortened, zeroed or with flipped bits, in the header, the allocation table, the log and the
 * checkpoints. The next start recovers a consistent earlier state or refuses and says why; it neither hangs nor shows names or values that were never
 * there. The volume holds no file data, so every page in use is metadata.
 */
@Tag("cluster")
class DamageTest {
    /** {@code -Dtessera.damage.cases=300} for a long run. */
    private static final int CASES = Integer.getInteger("tessera.damage.cases", 16);

    private static final long SEED = Long.getLong("tessera.damage.seed", System.currentTimeMillis());

    private static final int PAGE = 4096;
    private static final int BLOCK = 2 << 20;
    private static final Duration LIMIT = Duration.ofMinutes(2);

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.stopped("damage", "128M").patient();

    @Test
    void shouldRecoverAPrefixOrRefuseWhenThePoolIsDamaged() throws IOException {
        Path template = CLUSTER.scratch().resolve("template");
        prepare(template);
        List<Long> pages = pagesInUse(template.resolve("node1/pool"));
        Random random = new Random(SEED);
        int recovered = 0;
        for (int i = 0; i < CASES; i++) {
            restore(template);
            String damage = damage(CLUSTER.node().pool(), i, pages, random);
            try {
                recovered += startsConsistently() ? 1 : 0;
            } catch (AssertionError e) {
                throw new AssertionError(
                        "case " + i + " of -Dtessera.damage.seed=" + SEED + ": " + damage + ": " + e.getMessage(), e);
            }
        }
        System.out.println("damaged pools: " + recovered + " of " + CASES + " recovered, the others were refused");
    }

    /** Every name says what it is and what it must hold; half of the changes are in the log only, as after a crash. */
    private static void prepare(Path template) {
        CLUSTER.node().start();
        Path directory = CLUSTER.workDirectory("d");
        String change = """
                for d in $(seq %d %d); do
                  mkdir dir$d; cd dir$d
                  for i in $(seq 100); do : >file$i; ln -s link$i link$i; done
                  setfattr -n user.name -v dir$d .
                  cd ..
                done
                """;
        CLUSTER.shell(LIMIT, directory, change.formatted(1, 20));
        CLUSTER.node().stop();
        CLUSTER.node().start();
        CLUSTER.shell(LIMIT, directory, change.formatted(21, 40));
        CLUSTER.node().kill();
        CLUSTER.commands()
                .run(
                        LIMIT,
                        CLUSTER.scratch(),
                        "umount",
                        "-l",
                        CLUSTER.node().mount().toString());
        CLUSTER.shell(LIMIT, CLUSTER.scratch(), "cp -a --sparse=always " + CLUSTER.directory() + " " + template);
    }

    private static void restore(Path template) {
        CLUSTER.shell(
                LIMIT,
                CLUSTER.scratch(),
                "rm -rf %1$s/node1 && cp -a --sparse=never %2$s/node1 %1$s/".formatted(CLUSTER.directory(), template));
    }

    private static List<Long> pagesInUse(Path pool) throws IOException {
        List<Long> pages = new ArrayList<>();
        ByteBuffer block = ByteBuffer.allocate(BLOCK);
        try (FileChannel channel = FileChannel.open(pool)) {
            for (long at = 0; channel.read(block.clear(), at) > 0; at += BLOCK) {
                for (int page = 0; page < block.position(); page += PAGE) {
                    if (block.slice(page, PAGE).mismatch(ByteBuffer.allocate(PAGE)) >= 0) {
                        pages.add(at + page);
                    }
                }
            }
        }
        return pages;
    }

    /** Does one kind of harm; returns what it was. */
    private static String damage(Path pool, int kind, List<Long> pages, Random random) throws IOException {
        try (FileChannel channel = FileChannel.open(pool, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            long page = pages.get(random.nextInt(kind % 2 == 0 ? Math.min(8, pages.size()) : pages.size()));
            return switch (kind % 8) {
                case 0 -> {
                    long length = (long) (random.nextDouble() * channel.size());
                    channel.truncate(length);
                    yield "truncated to " + length;
                }
                case 1, 2, 3 -> {
                    int bits = 1 << (2 * random.nextInt(4));
                    for (int i = 0; i < bits; i++) {
                        flip(channel, page + random.nextInt(PAGE), random.nextInt(8));
                    }
                    yield bits + " bits flipped in the page at " + page;
                }
                case 4, 5 -> {
                    channel.write(ByteBuffer.allocate(PAGE), page);
                    yield "page at " + page + " zeroed";
                }
                case 6 -> {
                    byte[] noise = new byte[512];
                    random.nextBytes(noise);
                    channel.write(ByteBuffer.wrap(noise), page + 512L * random.nextInt(8));
                    yield "a sector of the page at " + page + " overwritten";
                }
                default -> {
                    long block = page / BLOCK * BLOCK;
                    channel.write(ByteBuffer.allocate(BLOCK), block);
                    yield "2 MiB at " + block + " zeroed";
                }
            };
        }
    }

    private static void flip(FileChannel channel, long at, int bit) throws IOException {
        ByteBuffer one = ByteBuffer.allocate(1);
        channel.read(one, at);
        one.put(0, (byte) (one.get(0) ^ (1 << bit)));
        channel.write(one.rewind(), at);
    }

    /** True if it started, with nothing in it that was not put there; false if it refused. */
    private static boolean startsConsistently() {
        Command.Result up = CLUSTER.node().tryStart();
        if (up.status() != 0) {
            assertThat(up.output())
                    .containsIgnoringCase("tessera:")
                    .containsPattern("(?i)pool|log|checkpoint|brick|manifest");
            assertThat(up.output()).doesNotContain("NullPointerException").doesNotContain("IndexOutOfBounds");
            CLUSTER.node().cli("down", "--force").expectSuccess();
            return false;
        }
        CLUSTER.node().expectCleanFsck();
        CLUSTER.shell(LIMIT, CLUSTER.node().mount(), """
                bad() { echo "never made: $*"; exit 1; }
                find . -mindepth 1 -printf '%y %p %l\\n' | while read -r type path target; do
                  name=${path##*/}
                  case $type.$name in
                    d.d[0-9]*|d.dir[0-9]*|f.file[0-9]*) ;;
                    l.link[0-9]*) [ "$target" = "$name" ] || bad "$path -> $target" ;;
                    *) bad "$type $path" ;;
                  esac
                done
                { getfattr -hPRd -m user. . 2>/dev/null || true; } | awk '/^# file/ {n = $3; sub(/.*\\//, "", n)} /^user/ {if ($0 != "user.name=\\"" n "\\"") exit 1}'
                mkdir dir-new && rmdir dir-new
                """);
        CLUSTER.node().cli("down", "--force").expectSuccess();
        return true;
    }
}
