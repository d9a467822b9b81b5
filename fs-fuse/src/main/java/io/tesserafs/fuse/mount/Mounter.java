package io.tesserafs.fuse.mount;

import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.libc.LibcNative;
import io.tesserafs.fuse.libc.NativeCallException;
import io.tesserafs.fuse.mount.MountException.Reason;
import io.tesserafs.fuse.transport.DeviceNative;
import io.tesserafs.fuse.transport.DeviceTransport;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Makes and ends mounts: as root by system calls, as anybody else through fusermount3. */
final class Mounter {
    private Mounter() {}

    /** The descriptor of /dev/fuse that serves the new mount; the caller owns it. */
    static int mount(Path mountPoint, MountOptions options) throws MountException {
        if (!MountNative.isRoot()) {
            return FuserMount.mount(mountPoint, options);
        }
        int fd = openDevice();
        String data = "fd=" + fd + ",rootmode=40000,user_id=0,group_id=0," + String.join(",", commonOptions(options));
        long flags = (options.allowSuidAndDevices() ? 0 : MountNative.MS_NOSUID | MountNative.MS_NODEV)
                | (options.readOnly() ? MountNative.MS_RDONLY : 0);
        int errno =
                MountNative.mount(options.source(), mountPoint.toString(), "fuse." + options.subtype(), flags, data);
        if (errno != 0) {
            DeviceNative.close(fd);
            throw mountFailed(mountPoint, errno);
        }
        return fd;
    }

    /** Options that mount(2) and fusermount3 both take. */
    static List<String> commonOptions(MountOptions options) {
        List<String> list = new ArrayList<>();
        list.add("default_permissions");
        list.add("max_read=" + options.session().maxWriteBytes());
        if (options.access() == MountOptions.Access.EVERYBODY) {
            list.add("allow_other");
        }
        return list;
    }

    /** Ends the mount in good order; fails with {@link Reason#BUSY} if it is in use. */
    static void unmount(Path mountPoint) throws MountException {
        if (!MountNative.isRoot()) {
            FuserMount.unmount(mountPoint, false);
            return;
        }
        int errno = MountNative.unmount(mountPoint.toString(), MountNative.UMOUNT_NOFOLLOW);
        if (errno != 0) {
            throw unmountFailed(mountPoint, errno);
        }
    }

    /** Ends the mount whatever uses it: pending requests fail as root, and the mount goes out of sight at once. */
    static void forceUnmount(Path mountPoint) throws MountException {
        if (!MountNative.isRoot()) {
            FuserMount.unmount(mountPoint, true);
            return;
        }
        // MNT_FORCE aborts the connection and then fails with EBUSY if there are users; that is what it is for here.
        int errno = MountNative.unmount(mountPoint.toString(), MountNative.MNT_FORCE | MountNative.UMOUNT_NOFOLLOW);
        if (errno == Errno.EBUSY) {
            errno = MountNative.unmount(mountPoint.toString(), MountNative.MNT_DETACH | MountNative.UMOUNT_NOFOLLOW);
        }
        if (errno != 0) {
            throw unmountFailed(mountPoint, errno);
        }
    }

    private static int openDevice() throws MountException {
        try {
            return DeviceNative.open(DeviceTransport.DEVICE);
        } catch (NativeCallException e) {
            throw new MountException(
                    e.errno() == Errno.EACCES || e.errno() == Errno.EPERM ? Reason.PERMISSION : Reason.UNAVAILABLE,
                    e.getMessage() + (e.errno() == Errno.ENOENT ? "; load the kernel module with: modprobe fuse" : ""),
                    e);
        }
    }

    private static MountException mountFailed(Path mountPoint, int errno) {
        String text = "cannot mount on " + mountPoint + ": " + LibcNative.describe(errno);
        return switch (errno) {
            case Errno.EPERM, Errno.EACCES ->
                new MountException(Reason.PERMISSION, text + "; mounting needs CAP_SYS_ADMIN");
            case Errno.ENOENT, Errno.ENOTDIR, Errno.ENOTCONN -> new MountException(Reason.BAD_MOUNT_POINT, text);
            case Errno.ENODEV ->
                new MountException(Reason.UNAVAILABLE, text + "; the kernel has no FUSE, try: modprobe fuse");
            case Errno.EBUSY -> new MountException(Reason.BUSY, text);
            default -> new MountException(Reason.FAILED, text);
        };
    }

    private static MountException unmountFailed(Path mountPoint, int errno) {
        String text = "cannot unmount " + mountPoint + ": ";
        return switch (errno) {
            case Errno.EBUSY -> new MountException(Reason.BUSY, text + "it is in use");
            case Errno.EINVAL, Errno.ENOENT ->
                new MountException(Reason.NOT_MOUNTED, text + "nothing is mounted there");
            case Errno.EPERM, Errno.EACCES -> new MountException(Reason.PERMISSION, text + LibcNative.describe(errno));
            default -> new MountException(Reason.FAILED, text + LibcNative.describe(errno));
        };
    }
}
