package io.tesserafs.node.doctor;

import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.fabric.pmem.PoolException;
import io.tesserafs.fabric.pmem.PoolInfo;
import io.tesserafs.node.config.NodeConfig.PoolConfig;
import io.tesserafs.node.config.Size;
import io.tesserafs.node.host.Host;
import io.tesserafs.node.host.MountTable.Mount;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.Set;
import jdk.nio.mapmode.ExtendedMapMode;
import org.jspecify.annotations.Nullable;

/** A node's pool: whether it is there and whole, or has room, and what its medium promises. */
final class PoolCheck implements Check {
    private static final String DEVICES = "/dev/dax";
    private static final Set<String> MEMORY_ONLY = Set.of("tmpfs", "ramfs", "hugetlbfs");
    private static final Set<String> COPY_ON_WRITE = Set.of("btrfs", "zfs", "bcachefs");
    private static final Set<String> CAN_DAX = Set.of("ext4", "xfs");
    private static final int PAGE_BYTES = 4096;

    /** As 'up' wants it: room beside the pool for coordination data and logs. */
    private static final long SPARE_BYTES = 64L << 20;

    /** Tries MAP_SYNC on a pool that is there; the mapping is not touched. */
    interface SyncMapping {
        /** @throws IOException if it cannot be tried */
        boolean works(Path pool) throws IOException;
    }

    private final Host host;
    private final PoolConfig pool;
    private final boolean rdma;
    private final SyncMapping mapping;

    PoolCheck(Host host, Subject subject, SyncMapping mapping) {
        this(host, subject.config().pool(), subject.wantsRdma(), mapping);
    }

    PoolCheck(Host host, PoolConfig pool, boolean rdma, SyncMapping mapping) {
        this.host = host;
        this.pool = pool;
        this.rdma = rdma;
        this.mapping = mapping;
    }

    static boolean mapSynchronously(Path pool) throws IOException {
        try (FileChannel channel = FileChannel.open(pool, StandardOpenOption.READ, StandardOpenOption.WRITE);
                Arena arena = Arena.ofConfined()) {
            try {
                channel.map(ExtendedMapMode.READ_WRITE_SYNC, 0, PAGE_BYTES, arena);
                return true;
            } catch (IOException | UnsupportedOperationException e) {
                return false; // EOPNOTSUPP, or a processor that cannot write cache lines back
            }
        }
    }

    @Override
    public String part() {
        return "pool";
    }

    @Override
    public void examine(Report report) throws IOException {
        Path path = pool.path();
        if (path.toString().startsWith(DEVICES)) {
            device(String.valueOf(path.getFileName()), report);
            return;
        }
        @Nullable Path existing = StateCheck.existing(path);
        if (existing == null) {
            report.fail("file", "there is no directory for " + path, "name another place as pool.path");
            return;
        }
        if (Files.exists(path)) {
            contents(report);
        } else {
            room(existing, report);
        }
        Optional<Mount> mount = host.mounts().containing(existing.toRealPath());
        if (mount.isPresent()) {
            medium(mount.get(), report);
        }
    }

    private void contents(Report report) {
        Path path = pool.path();
        try {
            Pool opened = Pool.openReadOnly(path, true);
            try {
                PoolInfo info = opened.info();
                String joined = info.cluster().isEmpty() ? "in no cluster yet" : "brick " + info.brick();
                if (info.damagedHeaderCopies() > 0) {
                    report.warn(
                            "file",
                            path + ": one of the header's two copies is damaged",
                            "nothing: the next start repairs it; if it happens again, suspect the medium");
                }
                report.ok("file", path + ": " + Size.display(info.fileBytes()) + ", whole, " + joined);
            } finally {
                opened.abandon();
            }
        } catch (PoolException e) {
            report.fail("file", String.valueOf(e.getMessage()), remedy(e.reason()));
        }
    }

    private static String remedy(PoolException.Reason reason) {
        return switch (reason) {
            case SPARSE -> "give it its storage with the fallocate command above, with the daemon down";
            case NOT_A_POOL -> "name another file as pool.path, or move this one away";
            case VERSION -> "use the version of TesseraFS that made it";
            case DAMAGED, TRUNCATED -> "restore it from a copy; see 'tessera fsck --offline'";
            case NOT_FLUSHABLE -> "use x86-64, or a pool on a file system with DAX";
            case IO -> "run this as the daemon's user, or as root; look at dmesg";
            case EXISTS, NOT_FOUND, BAD_SIZE, NO_SPACE, IN_USE -> "see docs/operations.md, Pools";
        };
    }

    private void room(Path directory, Report report) throws IOException {
        long free = Files.getFileStore(directory).getUsableSpace();
        String fact = pool.path() + " is not there yet; it takes " + pool.size() + ", and " + directory + " has "
                + Size.display(free) + " free";
        if (free < pool.size().bytes() + SPARE_BYTES) {
            report.fail("room", fact, "make pool.size smaller, or name another place as pool.path");
        } else {
            report.ok("room", fact);
        }
    }

    private void device(String device, Report report) {
        if (!PersistentMemoryCheck.knows(host, device)) {
            report.fail(
                    "device",
                    "there is no " + pool.path(),
                    "'daxctl list' shows devices; ndctl create-namespace --mode=devdax makes one");
            return;
        }
        String fact = PersistentMemoryCheck.describe(host, device);
        String driver = PersistentMemoryCheck.driver(host, device).orElse("none");
        if (driver.equals("device_dax")) {
            report.ok("device", fact);
            deviceContents(report);
        } else {
            report.fail(
                    "device",
                    fact + (driver.equals("kmem") ? ": it serves as ordinary memory" : ""),
                    "daxctl reconfigure-device --mode=devdax " + device);
        }
    }

    private void deviceContents(Report report) {
        try {
            if (Pool.exists(pool.path())) {
                contents(report);
            } else {
                report.warn(
                        "file",
                        pool.path() + " holds no pool; the daemon will format it without a question",
                        "be sure that nothing on it is of use");
            }
        } catch (PoolException e) {
            report.fail("file", String.valueOf(e.getMessage()), remedy(e.reason()));
        }
    }

    private void medium(Mount mount, Report report) throws IOException {
        String type = mount.type();
        String where = pool.path() + " is on " + type + " (" + mount.point() + ")";
        boolean dax = mount.options().stream().anyMatch(option -> option.equals("dax") || option.equals("dax=always"));
        if (MEMORY_ONLY.contains(type)) {
            report.warn(
                    "medium",
                    where + ": lost when the host reboots",
                    "put it on disk or persistent memory, unless this is a trial");
        } else if (COPY_ON_WRITE.contains(type)) {
            report.warn(
                    "medium",
                    where + ", which copies on write: a disk that fills up can stop the daemon",
                    "put it on ext4 or xfs");
        } else if (dax) {
            fsDax(where, report);
        } else if (mount.source().startsWith("/dev/pmem") && CAN_DAX.contains(type)) {
            report.warn(
                    "medium",
                    where + " on persistent memory, mounted without DAX: every fsync goes through the page cache",
                    "mount it with -o dax=always");
        } else {
            report.ok("medium", where + ": persistent by msync");
        }
        if (rdma && !dax && !MEMORY_ONLY.contains(type)) {
            report.warn(
                    "rdma",
                    where
                            + ": kernels from 6.4 on do not register such memory with RDMA devices, and peers use TCP for it",
                    "put it on device DAX, tmpfs or hugetlbfs where RDMA matters");
        }
    }

    private void fsDax(String where, Report report) throws IOException {
        if (!Files.exists(pool.path())) {
            report.ok("medium", where + ", mounted with DAX");
        } else {
            try {
                if (mapping.works(pool.path())) {
                    report.ok("medium", where + ", mapped with MAP_SYNC: persistent by cache-line write-back");
                } else {
                    report.warn(
                            "medium",
                            where + ", mounted with DAX, but MAP_SYNC is refused: msync is used",
                            "see dmesg; the file must not be older than the mount option (copy it), and its blocks must be aligned");
                }
            } catch (AccessDeniedException e) {
                report.info("medium", where + ", mounted with DAX; this user cannot try MAP_SYNC");
            }
        }
        if (rdma) {
            report.warn(
                    "rdma",
                    where
                            + " with DAX: the kernel refuses to pin such pages (EOPNOTSUPP), so only RDMA devices with on-demand paging"
                            + " reach it; with others peers use TCP for it",
                    "put it on device DAX (/dev/daxX.Y) where RDMA matters and the device has no on-demand paging");
        }
    }
}
