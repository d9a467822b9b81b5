package io.tesserafs.node.daemon;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DaemonProcessTest {
    private static final String BOOT = "11111111-2222-3333-4444-555555555555";
    private static final String TAIL = " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 ";

    @TempDir
    Path proc;

    Path pidFile;

    @BeforeEach
    void fakeProc() throws Exception {
        pidFile = proc.resolve("tesserad.pid");
        Files.createDirectories(proc.resolve("sys/kernel/random"));
        Files.writeString(proc.resolve("sys/kernel/random/boot_id"), BOOT + "\n");
        process(42, "S", 7777, "java\0-cp\0x\0" + DaemonProcess.MAIN_CLASS + "\0node\0");
        Files.writeString(pidFile, "42 7777 " + BOOT + "\n");
    }

    private void process(long pid, String state, long startTicks, String commandLine) throws Exception {
        Path dir = Files.createDirectories(proc.resolve(Long.toString(pid)));
        Files.writeString(dir.resolve("stat"), pid + " (a (strange) name) " + state + TAIL + startTicks + " 99 0\n");
        Files.writeString(dir.resolve("cmdline"), commandLine);
    }

    @Test
    void shouldFindTheDaemonThatWroteTheFile() throws Exception {
        assertThat(DaemonProcess.find(pidFile, proc)).contains(new DaemonProcess(42, 7777));
    }

    @Test
    void shouldNotTakeAReusedPidForTheDaemon() throws Exception {
        process(42, "S", 8888, "java\0" + DaemonProcess.MAIN_CLASS + "\0");
        assertThat(DaemonProcess.find(pidFile, proc)).isEmpty();
    }

    @Test
    void shouldNotTakeAnotherProgramForTheDaemon() throws Exception {
        process(42, "S", 7777, "vi\0notes\0");
        assertThat(DaemonProcess.find(pidFile, proc)).isEmpty();
    }

    @Test
    void shouldNotTakeAZombieForTheDaemon() throws Exception {
        process(42, "Z", 7777, "java\0" + DaemonProcess.MAIN_CLASS + "\0");
        assertThat(DaemonProcess.find(pidFile, proc)).isEmpty();
    }

    @Test
    void shouldForgetDaemonsOfAnEarlierBoot() throws Exception {
        Files.writeString(proc.resolve("sys/kernel/random/boot_id"), BOOT.replace('1', '9') + "\n");
        assertThat(DaemonProcess.find(pidFile, proc)).isEmpty();
    }

    @Test
    void shouldTreatMissingAndDamagedFilesAsNoDaemon() throws Exception {
        Files.writeString(pidFile, "42 77");
        assertThat(DaemonProcess.find(pidFile, proc)).isEmpty();
        Files.delete(pidFile);
        assertThat(DaemonProcess.find(pidFile, proc)).isEmpty();
    }

    @Test
    void shouldFindNothingWhenTheProcessIsGone() throws Exception {
        Files.writeString(pidFile, "43 7777 " + BOOT + "\n");
        assertThat(DaemonProcess.find(pidFile, proc)).isEmpty();
    }

    @Test
    void shouldWriteWhatItReads() throws Exception {
        DaemonProcess self = DaemonProcess.current();
        self.write(pidFile);
        String text = Files.readString(pidFile);
        assertThat(text).startsWith(self.pid() + " " + self.startTicks() + " ");
        assertThat(self.pid()).isEqualTo(ProcessHandle.current().pid());
    }
}
