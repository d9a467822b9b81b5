package io.tesserafs.node.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.RandomAccessFile;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MountUsersTest {
    private static final Path POINT = Path.of("/srv/t/mnt");

    @TempDir
    Path proc;

    private void process(int pid, String command) throws Exception {
        Path dir = Files.createDirectories(proc.resolve(Integer.toString(pid)).resolve("fd"))
                .getParent();
        Files.writeString(dir.resolve("cmdline"), command.replace(' ', '\0') + "\0");
        Files.writeString(
                dir.resolve("maps"), "7f00-7f01 r-xp 00000000 00:01 1    /usr/lib/libc.so\n7f02-7f03 rw-p 0 0:0 0\n");
        Files.createSymbolicLink(dir.resolve("cwd"), Path.of("/"));
        Files.createSymbolicLink(dir.resolve("root"), Path.of("/"));
        Files.createSymbolicLink(dir.resolve("exe"), Path.of("/usr/bin/x"));
    }

    private void replaceLink(int pid, String name, String target) throws Exception {
        Path link = proc.resolve(Integer.toString(pid)).resolve(name);
        Files.deleteIfExists(link);
        Files.createSymbolicLink(link, Path.of(target));
    }

    @BeforeEach
    void innocent() throws Exception {
        process(1, "init");
        process(2, "neighbour");
        replaceLink(2, "cwd", "/srv/t/mnt2");
        replaceLink(2, "fd/3", "/srv/t/mnt-not");
        Files.createDirectory(proc.resolve("net"));
    }

    @Test
    void shouldFindNobodyWhereNobodyIs() {
        assertThat(MountUsers.of(proc, POINT)).isEmpty();
    }

    @Test
    void shouldFindEveryWayToKeepAMountBusy() throws Exception {
        process(10, "bash -l");
        replaceLink(10, "cwd", "/srv/t/mnt/dir");
        process(11, "chrooted");
        replaceLink(11, "root", "/srv/t/mnt");
        process(12, "prog");
        replaceLink(12, "exe", "/srv/t/mnt/bin/prog");
        process(13, "tail -f x");
        replaceLink(13, "fd/5", "/srv/t/mnt/x (deleted)");
        process(14, "db");
        Files.writeString(
                proc.resolve("14/maps"), "7f00-7f01 rw-s 00000000 00:30 12                 /srv/t/mnt/my data.db\n");
        List<MountUsers.User> users = MountUsers.of(proc, POINT);
        assertThat(users)
                .containsExactlyInAnyOrder(
                        new MountUsers.User(10, "bash -l", "working directory /srv/t/mnt/dir"),
                        new MountUsers.User(11, "chrooted", "root /srv/t/mnt"),
                        new MountUsers.User(12, "prog", "program /srv/t/mnt/bin/prog"),
                        new MountUsers.User(13, "tail -f x", "open file /srv/t/mnt/x (deleted)"),
                        new MountUsers.User(14, "db", "mapping of /srv/t/mnt/my data.db"));
        assertThat(MountUsers.describe(users)).contains("  pid 10 (bash -l): working directory");
    }

    @Test
    void shouldFindThisProcessInTheRealProc(@TempDir Path dir) throws Exception {
        Path file = dir.resolve("held");
        try (RandomAccessFile held = new RandomAccessFile(file.toFile(), "rw")) {
            held.setLength(1);
            assertThat(MountUsers.of(dir.toRealPath()))
                    .extracting(MountUsers.User::pid)
                    .contains(ProcessHandle.current().pid());
        }
        try (FileChannel channel = FileChannel.open(file)) {
            assertThat(channel.isOpen()).isTrue();
            assertThat(MountUsers.of(dir.toRealPath()).getFirst().uses()).startsWith("open file ");
        }
    }
}
