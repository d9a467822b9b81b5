package io.tesserafs.fuse.mount;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.FuseSession;
import io.tesserafs.fuse.MemoryFileSystem;
import io.tesserafs.fuse.MountTool;
import io.tesserafs.fuse.Request;
import io.tesserafs.fuse.mount.MountException.Reason;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Mounting, unmounting, interrupts and notifications. After each test nothing may be left. */
@Tag("fuse")
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class MountLifeTest {
    @TempDir
    Path mnt;

    private static FuseMount mount(Path on, MemoryFileSystem fs) throws MountException {
        return FuseMount.mount(on, fs, MountOptions.defaults("test"));
    }

    @AfterEach
    void checkNothingIsLeft() throws IOException {
        assertThat(MountInfo.at(mnt.toRealPath())).isEmpty();
        assertThat(Processes.openFuseDescriptors()).isZero();
        // A thread that has ended its work may still be on its way out; its descriptor is closed by then.
        while (Processes.readerThreads() > 0) {
            Thread.onSpinWait();
        }
    }

    private static Reason reasonOf(Throwable e) {
        return ((MountException) e).reason();
    }

    @Test
    void shouldEndWhenSomebodyElseUnmounts() throws Exception {
        MemoryFileSystem fs = new MemoryFileSystem();
        try (FuseMount mount = mount(mnt, fs)) {
            assertThat(mount.join(Duration.ZERO)).isFalse();
            Processes.run("umount", mnt.toString());
            mount.join();
            assertThat(fs.stopped).isTrue();
            assertThat(mount.isMounted()).isFalse();
        }
    }

    @Test
    void shouldRefuseToUnmountWhileBusyAndGoOn() throws Exception {
        try (FuseMount mount = mount(mnt, new MemoryFileSystem())) {
            Path file = Files.writeString(mnt.resolve("a"), "x");
            try (InputStream open = Files.newInputStream(file)) {
                assertThatThrownBy(mount::unmount)
                        .satisfies(e -> assertThat(reasonOf(e)).isEqualTo(Reason.BUSY));
                assertThat(open.read()).isEqualTo('x');
            }
            mount.unmount();
            mount.unmount();
        }
    }

    @Test
    void shouldUnmountByForceWhileBusy() throws Exception {
        MemoryFileSystem fs = new MemoryFileSystem();
        FuseMount mount = mount(mnt, fs);
        Path file = Files.writeString(mnt.resolve("a"), "x");
        InputStream open = Files.newInputStream(file);
        mount.unmountByForce();
        assertThat(fs.stopped).isTrue();
        assertThatThrownBy(open::close).isInstanceOf(IOException.class);
        mount.close();
    }

    @Test
    void shouldRefuseBadMountPoints() throws IOException {
        Path file = Files.createFile(mnt.resolve("file"));
        assertThatThrownBy(() -> mount(file, new MemoryFileSystem()))
                .satisfies(e -> assertThat(reasonOf(e)).isEqualTo(Reason.BAD_MOUNT_POINT));
        assertThatThrownBy(() -> mount(mnt.resolve("missing"), new MemoryFileSystem()))
                .satisfies(e -> assertThat(reasonOf(e)).isEqualTo(Reason.BAD_MOUNT_POINT));
    }

    @Test
    void shouldTakeTheMountAwayWhenTheFilesystemFailsToStart() {
        MemoryFileSystem fs = new MemoryFileSystem() {
            @Override
            public void started(FuseSession s) {
                throw new IllegalStateException("cannot start");
            }
        };
        assertThatThrownBy(() -> mount(mnt, fs))
                .isInstanceOf(MountException.class)
                .hasMessageContaining("cannot start");
    }

    /**
     * A filesystem where looking up "wait" takes until an interrupt. Not a read: readahead belongs to nobody, and the kernel interrupts only
     * requests that a caller waits for.
     */
    private static final class WaitingFileSystem extends MemoryFileSystem {
        final LinkedBlockingQueue<Request> waiting = new LinkedBlockingQueue<>();
        final CountDownLatch interrupted = new CountDownLatch(1);

        @Override
        public void lookup(Request rq, long parent, byte[] name) {
            if (!Arrays.equals(name, "wait".getBytes(StandardCharsets.UTF_8))) {
                super.lookup(rq, parent, name);
                return;
            }
            rq.detach();
            rq.onInterrupt(() -> {
                rq.replyError(Errno.EINTR);
                interrupted.countDown();
            });
            waiting.add(rq);
        }
    }

    @Test
    void shouldInterruptAWaitingRequestWhenItsCallerIsKilled() throws Exception {
        WaitingFileSystem fs = new WaitingFileSystem();
        try (FuseMount mount = mount(mnt, fs)) {
            Path other = Files.createDirectory(mnt.resolve("other"));
            Process stat = new ProcessBuilder("stat", mnt.resolve("wait").toString()).start();
            Request rq = fs.waiting.take();
            assertThat(mount.detachedNow()).isEqualTo(1);
            // The mount is alive meanwhile. (Not in the same directory: the kernel locks that for the lookup.)
            Files.createDirectory(other.resolve("meanwhile"));
            assertThat(rq.interrupted()).isFalse();
            stat.destroyForcibly();
            fs.interrupted.await();
            assertThat(stat.waitFor()).isNotZero();
            assertThat(mount.stats().interrupts()).isPositive();
        }
    }

    /** Answers lookups of "slow..." on other threads, now and then late enough to be interrupted first. */
    private static final class SlowFileSystem extends MemoryFileSystem {
        final ExecutorService threads = Executors.newCachedThreadPool();
        final AtomicInteger interrupted = new AtomicInteger();
        final Semaphore lookups = new Semaphore(0);

        @Override
        public void lookup(Request rq, long parent, byte[] name) {
            if (!new String(name, StandardCharsets.UTF_8).startsWith("slow")) {
                super.lookup(rq, parent, name);
                return;
            }
            lookups.release();
            rq.detach();
            AtomicBoolean answered = new AtomicBoolean();
            rq.onInterrupt(() -> {
                if (answered.compareAndSet(false, true)) {
                    interrupted.incrementAndGet();
                    rq.replyError(Errno.EINTR);
                }
            });
            threads.execute(() -> {
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(name.length % 10));
                if (answered.compareAndSet(false, true)) {
                    rq.replyError(Errno.ENOENT);
                }
            });
        }

        @Override
        public void stopped() {
            threads.shutdownNow();
            super.stopped();
        }
    }

    /** Each lets its lookups go on for one millisecond longer. */
    private static final int ROUNDS = 60;

    /** A busy machine may have every lookup answered before the kernel hears of its caller's end; not for so long. */
    private static final Duration INTERRUPT_LIMIT = Duration.ofSeconds(60);

    @Test
    void shouldAnswerOnceWhateverIsInterrupted() throws Exception {
        SlowFileSystem fs = new SlowFileSystem();
        try (FuseMount mount = mount(mnt, fs)) {
            long end = System.nanoTime() + INTERRUPT_LIMIT.toNanos();
            for (int round = 0; round < ROUNDS || (fs.interrupted.get() == 0 && System.nanoTime() < end); round++) {
                fs.lookups.drainPermits();
                List<String> command = new ArrayList<>(List.of("stat"));
                for (int i = 0; i < 20; i++) {
                    command.add(mnt.resolve("slow" + "x".repeat(i + round % 10) + round)
                            .toString());
                }
                Process stat = new ProcessBuilder(command)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .redirectError(ProcessBuilder.Redirect.DISCARD)
                        .start();
                assertThat(fs.lookups.tryAcquire(30, TimeUnit.SECONDS)).isTrue();
                stat.waitFor(round % ROUNDS, TimeUnit.MILLISECONDS);
                stat.destroyForcibly();
                assertThat(stat.waitFor(30, TimeUnit.SECONDS)).isTrue();
            }
            // The end of the process is the end of its request, but our count of it may be a moment behind.
            while (mount.detachedNow() > 0) {
                Thread.onSpinWait();
            }
            assertThat(mount.stats().handlerFailures()).isZero();
            assertThat(mount.stats().refusedAnswers()).isZero();
            assertThat(fs.interrupted.get()).isPositive();
        }
    }

    @Test
    void shouldEndWaitingRequestsByForce() throws Exception {
        WaitingFileSystem fs = new WaitingFileSystem();
        FuseMount mount = mount(mnt, fs);
        Process stat = new ProcessBuilder("stat", mnt.resolve("wait").toString()).start();
        fs.waiting.take();
        mount.unmountByForce();
        assertThat(stat.waitFor()).isNotZero();
        assertThat(mount.stats().withdrawnRequests()).isPositive();
        mount.close();
    }

    @Test
    void shouldAbortAConnection() throws Exception {
        assumeTrue(MountNative.isRoot(), "aborting another's connection needs root");
        MemoryFileSystem fs = new MemoryFileSystem();
        try (FuseMount mount = mount(mnt, fs)) {
            assertThat(mount.connection().waiting()).isZero();
            mount.connection().abort();
            mount.join();
            assertThat(fs.stopped).isTrue();
            mount.connection().abort();
            // An aborted mount stays in the mount table; its users get ENOTCONN.
            Processes.run("umount", mnt.toString());
        }
    }

    @Test
    void shouldDropCachedPagesEntriesAndReferences() throws Exception {
        MemoryFileSystem fs = new MemoryFileSystem();
        try (FuseMount mount = mount(mnt, fs)) {
            Path file = Files.writeString(mnt.resolve("a"), "x");
            long ino = (Long) Files.getAttribute(file, "unix:ino");
            FuseSession session = mount.session();
            assertThat(Files.readString(file)).isEqualTo("x");
            long before = operations(mount, "read");
            assertThat(Files.readString(file)).isEqualTo("x");
            assertThat(operations(mount, "read")).as("cached").isEqualTo(before);
            session.invalidateInode(ino, 0, 0);
            assertThat(Files.readString(file)).isEqualTo("x");
            assertThat(operations(mount, "read")).isGreaterThan(before);

            before = operations(mount, "lookup");
            session.invalidateEntry(1, "a".getBytes(StandardCharsets.UTF_8));
            assertThat(file).exists();
            assertThat(operations(mount, "lookup")).isEqualTo(before + 1);
            if (session.incrementEpoch()) {
                assertThat(file).exists();
                assertThat(operations(mount, "lookup")).isEqualTo(before + 2);
            }
            session.invalidateInode(999_999, 0, 0);
            session.invalidateEntry(1, "missing".getBytes(StandardCharsets.UTF_8));
        }
    }

    private static long operations(FuseMount mount, String name) {
        return mount.stats().requestsByOperation().getOrDefault(name, 0L);
    }

    @Test
    void shouldLiftTheKernelsLimitsOnDirtyPages() throws Exception {
        assumeTrue(MountNative.isRoot(), "/sys/class/bdi is writable for root only");
        try (FuseMount mount = mount(mnt, new MemoryFileSystem())) {
            Path bdi = Path.of("/sys/class/bdi/0:" + mount.connection().number());
            assertThat(bdi.resolve("strict_limit")).hasContent("0");
            assertThat(bdi.resolve("max_ratio")).hasContent("100");
            assertThat(bdi.resolve("read_ahead_kb")).hasContent("512");
        }
    }

    @Test
    void shouldReplaceTheMountOfADaemonThatDied() throws Exception {
        Process daemon =
                startMountTool(Processes.java(System.getProperty("java.class.path"), MountTool.class, mnt.toString()));
        InputStream open = Files.newInputStream(Files.writeString(mnt.resolve("a"), "x"));
        daemon.destroyForcibly();
        daemon.waitFor();
        assertThatThrownBy(() -> Files.writeString(mnt.resolve("b"), "x"))
                .as("errors, not hangs")
                .hasMessageContaining("not connected");
        try (FuseMount mount = FuseMount.mount(mnt, new MemoryFileSystem(), MountOptions.defaults("memory"))) {
            assertThat(mount.isMounted()).isTrue();
            Files.writeString(mnt.resolve("b"), "x");
            assertThatThrownBy(open::close).isInstanceOf(IOException.class);
        }
    }

    /** Returns when the child says that it has mounted. */
    private static Process startMountTool(List<String> command) throws IOException {
        Process child = new ProcessBuilder(command).redirectErrorStream(true).start();
        StringBuilder said = new StringBuilder();
        BufferedReader lines = child.inputReader();
        String line;
        while ((line = lines.readLine()) != null && !line.equals("mounted")) {
            said.append(line).append('\n');
        }
        assertThat(line).as(said.toString()).isEqualTo("mounted");
        return child;
    }

    @Test
    void shouldMountAsAnOrdinaryUser() throws Exception {
        assumeTrue(MountNative.isRoot(), "becoming another user needs root");
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/fusermount3")), "fusermount3 (package fuse3) is not installed");
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/setpriv")), "setpriv (package util-linux) is not installed");
        assumeTrue(
                Files.getPosixFilePermissions(Path.of("/dev/fuse")).contains(PosixFilePermission.OTHERS_WRITE),
                "/dev/fuse is for root only; other users need it to have mode 0666");
        Path home = Files.createTempDirectory("tessera-user");
        try {
            Path point = Files.createDirectory(home.resolve("mnt"));
            String classPath = classPathIn(Files.createDirectory(home.resolve("classes")));
            Processes.run("chown", "-R", "65534:65534", home.toString());
            List<String> command =
                    new ArrayList<>(List.of("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"));
            command.addAll(Processes.java(classPath, MountTool.class, point.toString()));
            Process child = startMountTool(command);
            try {
                String user = "setpriv --reuid=65534 --regid=65534 --clear-groups ";
                assertThat(Processes.run("sh", "-c", user + "sh -c 'echo hi > " + point + "/f; cat " + point + "/f'"))
                        .isEqualTo("hi\n");
                Processes.run("sh", "-c", user + "fusermount3 -u " + point);
                assertThat(child.waitFor(30, TimeUnit.SECONDS)).isTrue();
                assertThat(child.exitValue()).isZero();
            } finally {
                child.destroyForcibly();
            }
            assertThat(MountInfo.at(point)).isEmpty();
        } finally {
            Processes.run("sh", "-c", "umount -l " + home + "/mnt 2>/dev/null || true");
            Processes.run("rm", "-rf", home.toString());
        }
    }

    /** Copies of what {@link MountTool} needs, since the user may not be able to read our directories. */
    private static String classPathIn(Path directory) throws IOException, InterruptedException {
        List<String> copies = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(":", -1)) {
            if (entry.contains("classes") || entry.contains("slf4j")) {
                Path copy = directory.resolve(Integer.toString(copies.size()));
                Processes.run("cp", "-r", entry, copy.toString());
                copies.add(copy.toString());
            }
        }
        return String.join(":", copies);
    }
}
