package io.tesserafs.node.doctor;

import io.tesserafs.node.host.Host;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The kernel's side of mounts. */
final class FuseCheck implements Check {
    private static final Pattern RELEASE = Pattern.compile("(\\d+)\\.(\\d+).*", Pattern.DOTALL);
    private static final List<String> FUSERMOUNT =
            List.of("/usr/bin/fusermount3", "/bin/fusermount3", "/usr/local/bin/fusermount3");

    /** FUSE 7.31, without which the handshake refuses the kernel. */
    private static final Release OLDEST = new Release(5, 4);

    /** FUSE 7.39: files may be mapped though reads and writes bypass the page cache. */
    private static final Release MAPPED_DIRECT = new Release(6, 6);

    /** FUSE 7.44: an invalidation waits until all that was changed through a mapping is written. */
    private static final Release WAITS_FOR_WRITES = new Release(6, 16);

    /** Tries the device; a descriptor that is closed again without a mount changes nothing. */
    interface Opening {
        void open(Path device) throws IOException;
    }

    record Release(int major, int minor) {
        boolean isBefore(Release other) {
            return major < other.major || (major == other.major && minor < other.minor);
        }
    }

    private final Host host;
    private final Opening opening;

    FuseCheck(Host host, Opening opening) {
        this.host = host;
        this.opening = opening;
    }

    static void tryToOpen(Path device) throws IOException {
        FileChannel.open(device, StandardOpenOption.READ, StandardOpenOption.WRITE)
                .close();
    }

    @Override
    public String part() {
        return "fuse";
    }

    @Override
    public void examine(Report report) {
        kernel(report);
        device(report);
        mounting(report);
        control(report);
        ring(report);
    }

    private void kernel(Report report) {
        String release = host.text("/proc/sys/kernel/osrelease").orElse("");
        Matcher matcher = RELEASE.matcher(release);
        if (!matcher.matches()) {
            report.warn("kernel", "the kernel's version is not known: '" + release + "'", "Linux 6.6 or newer is best");
            return;
        }
        Release running = new Release(Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)));
        if (running.isBefore(OLDEST)) {
            report.fail(
                    "kernel",
                    "Linux " + release + " speaks a FUSE protocol older than 7.31",
                    "use Linux 5.4 or newer; 6.6 or newer is best");
        } else if (running.isBefore(MAPPED_DIRECT)) {
            report.warn(
                    "kernel",
                    "Linux " + release
                            + " has no FUSE_DIRECT_IO_ALLOW_MMAP (6.6): a write that waits for another node can be"
                            + " seen by other processes of this host before it is done",
                    "use Linux 6.6 or newer where several nodes share a volume");
        } else if (!running.isBefore(WAITS_FOR_WRITES)) {
            report.ok("kernel", "Linux " + release + ", FUSE 7.44 or newer");
        } else if (host.isRoot()) {
            report.info(
                    "kernel",
                    "Linux " + release
                            + ": files open for reading and writing on several nodes cost some requests more each"
                            + " time they change hands than with 6.16");
        } else {
            report.warn(
                    "kernel",
                    "Linux " + release + " needs root to keep mappings for writing on several nodes coherent",
                    "run the daemon as root, or use Linux 6.16 or newer");
        }
    }

    private void device(Report report) {
        try {
            opening.open(host.path("/dev/fuse"));
            report.ok("device", "/dev/fuse can be opened");
        } catch (NoSuchFileException e) {
            report.fail(
                    "device",
                    "there is no /dev/fuse",
                    "modprobe fuse; give a container the device (--device /dev/fuse)");
        } catch (AccessDeniedException e) {
            report.fail(
                    "device",
                    "/dev/fuse may not be opened by this user",
                    "chmod 666 /dev/fuse, as distributions have it, or run as root");
        } catch (IOException e) {
            report.fail(
                    "device",
                    "/dev/fuse cannot be opened: " + e.getMessage(),
                    "modprobe fuse; allow a container the device (device cgroup)");
        }
    }

    private void mounting(Report report) {
        boolean helper = FUSERMOUNT.stream().anyMatch(host::has);
        if (host.isRoot()) {
            report.ok("mount", "mounting by root" + (helper ? "; fusermount3 is there for other users" : ""));
            return;
        }
        if (!helper) {
            report.fail(
                    "mount", "mounting as an ordinary user needs fusermount3, which is not there", "apt install fuse3");
            return;
        }
        boolean others = host.text("/etc/fuse.conf").stream()
                .flatMap(String::lines)
                .anyMatch(line -> line.strip().equals("user_allow_other"));
        if (others) {
            report.ok("mount", "mounting by fusermount3, other users allowed");
        } else {
            report.warn(
                    "mount",
                    "mounting by fusermount3; other users cannot use the mount",
                    "put user_allow_other into /etc/fuse.conf, or allowOther: false into the configuration");
        }
    }

    private void control(Report report) {
        boolean mounted = host.mounts()
                .at(Path.of("/sys/fs/fuse/connections"))
                .filter(mount -> mount.type().equals("fusectl"))
                .isPresent();
        if (mounted) {
            report.ok("control", "fusectl is mounted: a hung mount can be aborted");
        } else if (host.isRoot()) {
            report.info("control", "fusectl is not mounted; the daemon mounts it when it needs it");
        } else {
            report.warn(
                    "control",
                    "fusectl is not mounted: a hung mount cannot be aborted",
                    "as root: mount -t fusectl none /sys/fs/fuse/connections");
        }
    }

    private void ring(Report report) {
        String enabled = host.text("/sys/module/fuse/parameters/enable_uring").orElse("");
        report.info(
                "uring",
                switch (enabled) {
                    case "Y" -> "FUSE over io_uring is enabled; this version does not use it";
                    case "N" -> "FUSE over io_uring is there and disabled; this version does not use it";
                    default -> "no FUSE over io_uring (Linux 6.14); this version does not use it";
                });
    }
}
