package io.tesserafs.node.namespace;

import static io.tesserafs.node.namespace.OwnerFixture.ROOT_USER;
import static io.tesserafs.node.namespace.OwnerFixture.bytes;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.SetAttr;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VolumeOwnerTest {
    private static final long ROOT = VolumeService.ROOT;

    @TempDir
    Path directory;

    private OwnerFixture volume;

    @BeforeEach
    void open() throws Exception {
        volume = new OwnerFixture(directory);
    }

    @AfterEach
    void close() throws Exception {
        assertThat(volume.check().problems()).isEmpty();
        volume.close();
    }

    private static void refused(int errno, ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        FsException.class, e -> assertThat(e.errno()).isEqualTo(errno));
    }

    @Test
    void shouldKeepEverythingThatWasAnsweredWhenTheOwnerDies() throws Exception {
        long dir = volume.mkdir(ROOT, "dir");
        long file = volume.file(dir, "file");
        volume.extend(file, 0, 5000, false);
        volume.extend(file, 3, 100_000, true);
        volume.owner.setxattr(file, bytes("user.a"), bytes("value"), 0, volume.now());
        volume.owner.create(dir, bytes("link"), InodeAttr.S_IFLNK | 0777, 0, bytes("target"), ROOT_USER, volume.now());
        volume.owner.link(file, ROOT, bytes("second"), volume.now());
        InodeAttr before = volume.owner.getattr(file);
        List<Extent> layout = volume.owner.layout(file, 0, 100);

        volume.crashAndRestart();

        assertThat(volume.owner.getattr(file)).isEqualTo(before);
        assertThat(before.nlink()).isEqualTo(2);
        assertThat(volume.owner.layout(file, 0, 100)).isEqualTo(layout);
        assertThat(volume.owner.getxattr(file, bytes("user.a"))).isEqualTo(bytes("value"));
        assertThat(volume.names(dir)).containsExactly("file", "link");
        long link = volume.owner.lookup(dir, bytes("link")).ino();
        assertThat(volume.owner.readlink(link)).isEqualTo(bytes("target"));
    }

    @Test
    void shouldStartAgainAndAgainAfterDeathsWithAndWithoutChanges() throws Exception {
        for (int round = 0; round < 12; round++) {
            if (round % 3 != 0) {
                volume.file(ROOT, "file" + round);
            }
            if (round % 4 == 3) {
                volume.stop();
                volume.start(true);
            } else {
                volume.crashAndRestart();
            }
            assertThat(volume.check().problems()).isEmpty();
        }
        assertThat(volume.names(ROOT)).hasSize(8);
    }

    @Test
    void shouldFollowPosixForNames() throws Exception {
        long a = volume.mkdir(ROOT, "a");
        long b = volume.mkdir(a, "b");
        long f = volume.file(a, "f");
        refused(Errno.EEXIST, () -> volume.file(a, "f"));
        refused(Errno.ENOTDIR, () -> volume.file(f, "x"));
        refused(Errno.EISDIR, () -> volume.owner.unlink(a, bytes("b"), 1));
        refused(Errno.ENOTDIR, () -> volume.owner.rmdir(a, bytes("f"), 1));
        refused(Errno.ENOTEMPTY, () -> volume.owner.rmdir(ROOT, bytes("a"), 1));
        refused(Errno.EINVAL, () -> volume.owner.rename(ROOT, bytes("a"), b, bytes("c"), 0, 1));
        refused(Errno.EPERM, () -> volume.owner.link(a, ROOT, bytes("hard"), 1));
        refused(Errno.ENAMETOOLONG, () -> volume.file(a, "x".repeat(256)));
        refused(Errno.EEXIST, () -> volume.owner.rename(a, bytes("f"), a, bytes("b"), 1, 1));
        refused(Errno.EISDIR, () -> volume.owner.rename(a, bytes("f"), a, bytes("b"), 0, 1));
        assertThat(volume.owner.getattr(a).nlink()).isEqualTo(3);
        volume.owner.rename(a, bytes("b"), ROOT, bytes("b"), 0, volume.now());
        assertThat(volume.owner.getattr(a).nlink()).isEqualTo(2);
        assertThat(volume.owner.parent(b)).isEqualTo(ROOT);
        volume.owner.rename(a, bytes("f"), ROOT, bytes("b"), 2, volume.now());
        assertThat(volume.owner.lookup(a, bytes("f")).ino()).isEqualTo(b);
        assertThat(volume.owner.lookup(ROOT, bytes("b")).ino()).isEqualTo(f);
        assertThat(volume.owner.parent(b)).isEqualTo(a);
    }

    @Test
    void shouldKeepAnUnlinkedInodeUntilNobodyRefersToItAndDropItAtRecovery() throws Exception {
        long kept = volume.file(ROOT, "kept");
        volume.extend(kept, 0, 4096, true);
        assertThat(volume.owner.unlink(ROOT, bytes("kept"), volume.now()).nlink())
                .isZero();
        assertThat(volume.owner.getattr(kept).size()).isEqualTo(4096);
        volume.owner.unreferenced(kept);
        refused(Errno.ENOENT, () -> volume.owner.getattr(kept));

        long lost =
                volume.owner.createOrphan(ROOT, 0600, ROOT_USER, volume.now()).ino();
        volume.crashAndRestart();
        assertThat(volume.owner.report().orphansRemoved()).isEqualTo(1);
        refused(Errno.ENOENT, () -> volume.owner.getattr(lost));
    }

    @Test
    void shouldGiveStableCookiesWhileEntriesComeAndGo() throws Exception {
        for (int i = 0; i < 3000; i++) {
            volume.file(ROOT, "f" + i);
        }
        List<String> seen = new ArrayList<>();
        long[] cookie = {0};
        boolean[] more = {true};
        while (more[0]) {
            int before = seen.size();
            volume.owner.readdir(ROOT, cookie[0], (name, next, attr) -> {
                seen.add(new String(name, java.nio.charset.StandardCharsets.UTF_8));
                cookie[0] = next;
                return seen.size() % 7 != 0;
            });
            more[0] = seen.size() > before;
            for (int i = before; i < seen.size(); i++) {
                volume.owner.unlink(ROOT, bytes(seen.get(i)), volume.now());
            }
        }
        assertThat(seen).hasSize(3000).doesNotHaveDuplicates();
        assertThat(volume.names(ROOT)).isEmpty();
    }

    @Test
    void shouldMakeHolesOfWhatWasNeverFlushedWhenPowerWasLost() throws Exception {
        long loose = volume.file(ROOT, "loose");
        volume.extend(loose, 0, 8192, false);
        long firm = volume.file(ROOT, "firm");
        volume.extend(firm, 0, 8192, true);
        long grown = volume.file(ROOT, "grown");
        ExtentRef ref = volume.owner.allocate(8192, new BrickId(1));
        volume.commit(grown, List.of(new Extent(0, ref, 3000)), 3000, true);
        volume.commit(grown, List.of(new Extent(0, ref, 6000)), 6000, false);
        volume.owner.sync();
        volume.die();
        volume.start(false);
        assertThat(volume.owner.layout(loose, 0, 10)).isEmpty();
        assertThat(volume.owner.getattr(loose).size()).isEqualTo(8192);
        assertThat(volume.owner.layout(firm, 0, 10)).hasSize(1);
        assertThat(volume.owner.layout(grown, 0, 10).getFirst().validBytes()).isEqualTo(3000);
    }

    @Test
    void shouldRefuseSpaceThatWasNotGivenOut() throws Exception {
        long one = volume.file(ROOT, "one");
        long two = volume.file(ROOT, "two");
        ExtentRef mine = volume.extend(one, 0, 4096, true);
        refused(Errno.EIO, () -> volume.commit(two, List.of(new Extent(0, mine, 4096)), 4096, true));
    }

    @Test
    void shouldCutExtentsWithTheSizeAndClearSuidWhenAsked() throws Exception {
        long ino = volume.file(ROOT, "f");
        volume.extend(ino, 0, 2 << 20, true);
        volume.extend(ino, 1, 2 << 20, true);
        SetAttr mode = new SetAttr(SetAttr.MODE, -1, 06755, 0, 0, 0, 0, 0, 0);
        volume.owner.setattr(ino, mode, volume.now());
        InodeAttr cut = volume.owner.truncate(ino, 1000, true, volume.now());
        assertThat(cut.mode() & 07777).isEqualTo(0755);
        assertThat(volume.owner.layout(ino, 0, 10))
                .singleElement()
                .satisfies(e -> assertThat(e.validBytes()).isEqualTo(1000));
        assertThat(volume.owner.truncate(ino, 0, false, volume.now()).blocks()).isZero();
    }
}
