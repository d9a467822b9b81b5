package io.tesserafs.node.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Checks of the host but for RDMA. */
class HostChecksTest {
    private static final String LIMITS = """
            Limit                     Soft Limit           Hard Limit           Units
            Max open files            1024                 %s                files
            Max locked memory         8388608              %s              bytes""";

    @TempDir
    Path root;

    FakeHost fake;

    @BeforeEach
    void make() {
        fake = new FakeHost(root).user(0);
    }

    private FuseCheck fuse() {
        return new FuseCheck(fake.host, device -> {});
    }

    private FuseCheck fuse(IOException failure) {
        return new FuseCheck(fake.host, device -> {
            throw failure;
        });
    }

    private Finding limit(String name, String files, String bytes, boolean rdma) {
        fake.file("/proc/self/limits", LIMITS.formatted(files, bytes));
        return FakeHost.finding(new LimitsCheck(fake.host, "self", rdma), name);
    }

    @ParameterizedTest
    @CsvSource({
        "6.18.1-arch1, OK",
        "6.16.0, OK",
        "6.5.0-41-generic, WARN",
        "6.1.0-28-amd64, WARN",
        "5.4.0, WARN",
        "5.3.18, FAIL",
        "4.18.0-553.el8_10.x86_64, FAIL",
        "whatever, WARN"
    })
    void shouldJudgeTheKernelByItsRelease(String release, Verdict expected) {
        fake.file("/proc/sys/kernel/osrelease", release);
        assertThat(FakeHost.finding(fuse(), "fuse.kernel").verdict()).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource({"6.15.9", "6.6.0"})
    void shouldWantRootForKernelsThatDoNotWaitForWrites(String release) {
        fake.file("/proc/sys/kernel/osrelease", release);
        assertThat(FakeHost.finding(fuse(), "fuse.kernel").verdict())
                .isEqualTo(fake.host.isRoot() ? Verdict.INFO : Verdict.WARN);
    }

    @Test
    void shouldTellAMissingFromAForbiddenDevice() {
        Finding missing = FakeHost.finding(fuse(new NoSuchFileException("/dev/fuse")), "fuse.device");
        assertThat(missing.verdict()).isEqualTo(Verdict.FAIL);
        assertThat(missing.remedy()).contains("modprobe fuse");
        Finding forbidden = FakeHost.finding(fuse(new AccessDeniedException("/dev/fuse")), "fuse.device");
        assertThat(forbidden.verdict()).isEqualTo(Verdict.FAIL);
        assertThat(forbidden.remedy()).contains("chmod");
        assertThat(FakeHost.finding(fuse(new IOException("Operation not permitted")), "fuse.device")
                        .fact())
                .contains("Operation not permitted");
    }

    @Test
    void shouldFailWithoutFusermountForOrdinaryUsersOnly() {
        assertThat(FakeHost.finding(fuse(), "fuse.mount").verdict()).isEqualTo(Verdict.OK);
        fake.user(1000);
        Finding user = FakeHost.finding(fuse(), "fuse.mount");
        assertThat(user.verdict()).isEqualTo(Verdict.FAIL);
        assertThat(user.remedy()).contains("fuse3");
    }

    @Test
    void shouldWarnWhereOtherUsersAreNotAllowed() {
        fake.user(1000).file("/usr/bin/fusermount3", "").file("/etc/fuse.conf", "#user_allow_other");
        assertThat(FakeHost.finding(fuse(), "fuse.mount").verdict()).isEqualTo(Verdict.WARN);
        fake.file("/etc/fuse.conf", "mount_max = 10\nuser_allow_other");
        assertThat(FakeHost.finding(fuse(), "fuse.mount").verdict()).isEqualTo(Verdict.OK);
    }

    @Test
    void shouldMissTheControlFileSystemWhereTheDaemonCannotMountIt() {
        fake.user(1000);
        assertThat(FakeHost.finding(fuse(), "fuse.control").remedy()).contains("mount -t fusectl");
        fake.file(
                "/proc/self/mountinfo",
                "35 24 0:30 / /sys/fs/fuse/connections rw,nosuid,nodev,noexec,relatime shared:15 - fusectl fusectl rw");
        assertThat(FakeHost.finding(fuse(), "fuse.control").verdict()).isEqualTo(Verdict.OK);
    }

    @Test
    void shouldDemandLockableMemoryOnlyForRdma() {
        assertThat(limit("limits.memlock", "20000", "8388608", false).verdict()).isEqualTo(Verdict.INFO);
        Finding small = limit("limits.memlock", "20000", "8388608", true);
        assertThat(small.verdict()).isEqualTo(Verdict.FAIL);
        assertThat(small.remedy()).contains("LimitMEMLOCK=infinity");
        assertThat(limit("limits.memlock", "20000", "4294967296", true).verdict())
                .isEqualTo(Verdict.WARN);
        assertThat(limit("limits.memlock", "20000", "unlimited", true).verdict())
                .isEqualTo(Verdict.OK);
    }

    @Test
    void shouldKnowThatACapabilityOverridesTheLimit() {
        fake.file("/proc/self/status", "Uid:\t0\t0\t0\t0\nCapEff:\t0000000000004000");
        assertThat(limit("limits.memlock", "20000", "8388608", true).verdict()).isEqualTo(Verdict.OK);
    }

    @Test
    void shouldJudgeOpenFilesByTheHardLimit() {
        assertThat(limit("limits.nofile", "4096", "unlimited", false).verdict()).isEqualTo(Verdict.OK);
        assertThat(limit("limits.nofile", "1024", "unlimited", false).verdict()).isEqualTo(Verdict.WARN);
    }

    @Test
    void shouldExamineTheDaemonRatherThanTheShellIfItRuns() {
        fake.file("/proc/77/limits", LIMITS.formatted("100", "unlimited"));
        assertThat(FakeHost.finding(new LimitsCheck(fake.host, "77", false), "limits.nofile")
                        .fact())
                .isEqualTo("open files: 100 (of the daemon, pid 77)");
    }

    @Test
    void shouldCountHugePages() {
        fake.file(
                "/proc/meminfo",
                "MemTotal:  8000000 kB\nHugePages_Total:  512\nHugePages_Free:  100\nHugepagesize:  2048 kB");
        Finding pages = FakeHost.finding(new MemoryCheck(fake.host), "memory.hugepages");
        assertThat(pages.verdict()).isEqualTo(Verdict.OK);
        assertThat(pages.fact()).isEqualTo("100 of 512 huge pages of 2.0 MiB are free");
    }

    @Test
    void shouldSayHowToReserveHugePages() {
        fake.file("/proc/meminfo", "HugePages_Total:  0\nHugePages_Free:  0\nHugepagesize:  2048 kB");
        assertThat(FakeHost.finding(new MemoryCheck(fake.host), "memory.hugepages")
                        .remedy())
                .contains("vm.nr_hugepages");
    }

    @Test
    void shouldListPersistentMemoryAndWhatSurvives() {
        fake.file("/sys/bus/dax/devices/dax0.0/size", "1073741824")
                .file("/sys/bus/dax/devices/dax0.0/align", "2097152")
                .link("/sys/bus/dax/devices/dax0.0/driver", "../../../bus/dax/drivers/device_dax")
                .file("/sys/block/pmem1/queue/dax", "1")
                .file("/sys/block/pmem2s/queue/dax", "0")
                .file("/sys/bus/nd/devices/region0/persistence_domain", "memory_controller")
                .file("/sys/bus/nd/devices/region1/persistence_domain", "cpu_cache")
                .file("/sys/bus/nd/devices/region2/persistence_domain", "");
        var findings = FakeHost.findings(new PersistentMemoryCheck(fake.host));
        assertThat(findings)
                .extracting(Finding::fact)
                .contains("/dev/dax0.0: device DAX, 1.0 GiB, aligned to 2.0 MiB, driver device_dax")
                .anyMatch(fact -> fact.startsWith("/dev/pmem1: for ext4 or xfs"))
                .anyMatch(fact -> fact.contains("region0") && fact.contains("(ADR)"))
                .anyMatch(fact -> fact.contains("region1") && fact.contains("(eADR)"));
        assertThat(findings)
                .filteredOn(f -> f.verdict() == Verdict.WARN)
                .extracting(Finding::fact)
                .anyMatch(fact -> fact.contains("/dev/pmem2s"))
                .anyMatch(fact -> fact.contains("region2"))
                .hasSize(2);
    }

    @Test
    void shouldWarnOfASlowClock() {
        String path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        ClockCheck check = new ClockCheck(fake.host, () -> new ClockCheck.State(true, 12_345));
        fake.file(path, "tsc");
        assertThat(FakeHost.finding(check, "clock.monotonic").verdict()).isEqualTo(Verdict.OK);
        fake.file(path, "hpet");
        assertThat(FakeHost.finding(check, "clock.monotonic").verdict()).isEqualTo(Verdict.WARN);
    }

    @Test
    void shouldNeverMindTheTimeOfDay() {
        ClockCheck steered = new ClockCheck(fake.host, () -> new ClockCheck.State(true, 12_345));
        assertThat(FakeHost.finding(steered, "clock.ntp").fact()).contains("at most 12 ms");
        ClockCheck drifting = new ClockCheck(fake.host, () -> new ClockCheck.State(false, 0));
        assertThat(FakeHost.finding(drifting, "clock.ntp").verdict()).isEqualTo(Verdict.INFO);
        ClockCheck forbidden = new ClockCheck(fake.host, () -> {
            throw new IOException("adjtimex is not allowed here");
        });
        assertThat(FakeHost.finding(forbidden, "clock.ntp").verdict()).isEqualTo(Verdict.INFO);
    }

    @Test
    void shouldAskTheKernelOfThisHostForItsClock() throws IOException {
        assertThat(ClockNative.state()).isNotNull();
    }

    @Test
    void shouldRefuseAnOldJavaAndAnUnknownMachine() {
        assertThat(FakeHost.findings(new JavaCheck(Runtime.Version.parse("25.0.3+9"), "amd64")))
                .extracting(Finding::verdict)
                .containsOnly(Verdict.OK);
        assertThat(FakeHost.findings(new JavaCheck(Runtime.Version.parse("21.0.1"), "riscv64")))
                .extracting(Finding::verdict)
                .containsOnly(Verdict.FAIL);
    }
}
