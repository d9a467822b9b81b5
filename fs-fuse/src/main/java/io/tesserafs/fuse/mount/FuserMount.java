package io.tesserafs.fuse.mount;

import io.tesserafs.fuse.mount.MountException.Reason;
import io.tesserafs.fuse.transport.DeviceNative;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Mounts and unmounts through fusermount3, the setuid program of the fuse3 package. It opens /dev/fuse, mounts, and passes the
 * descriptor back over a socket whose number it finds in the environment.
 */
final class FuserMount {
    private static final List<Path> PROGRAMS = List.of(
            Path.of("/usr/bin/fusermount3"), Path.of("/bin/fusermount3"), Path.of("/usr/local/bin/fusermount3"));
    private static final String SOCKET_VARIABLE = "_FUSE_COMMFD";
    /** The socket's number in fusermount3: any that is not standard input, output or error. */
    private static final int SOCKET_IN_CHILD = 3;
    /** More than any message of fusermount3. */
    private static final int MESSAGE_BYTES = 4096;

    private FuserMount() {}

    static int mount(Path mountPoint, MountOptions options) throws MountException {
        if (options.allowSuidAndDevices()) {
            throw new MountException(Reason.PERMISSION, "only root may mount with suid bits and device files in force");
        }
        String program = program();
        List<String> list = new ArrayList<>(Mounter.commonOptions(options));
        list.add("fsname=" + options.source());
        list.add("subtype=" + options.subtype());
        if (options.readOnly()) {
            list.add("ro");
        }
        List<String> arguments = List.of(program, "-o", String.join(",", list), "--", mountPoint.toString());
        List<String> environment = new ArrayList<>();
        System.getenv().forEach((name, value) -> {
            if (!name.equals(SOCKET_VARIABLE)) {
                environment.add(name + "=" + value);
            }
        });
        environment.add(SOCKET_VARIABLE + "=" + SOCKET_IN_CHILD);

        int[] sockets = FuserMountNative.socketPair();
        int[] errors = FuserMountNative.socketPair();
        int fd;
        String message;
        try {
            int pid;
            try {
                pid = FuserMountNative.spawn(program, arguments, environment, sockets[1], SOCKET_IN_CHILD, errors[1]);
            } finally {
                // Only the child may hold these, or we would never see the end of what it sends.
                DeviceNative.close(sockets[1]);
                DeviceNative.close(errors[1]);
            }
            fd = FuserMountNative.receiveDescriptor(sockets[0]);
            message = FuserMountNative.readAll(errors[0], MESSAGE_BYTES);
            FuserMountNative.waitFor(pid);
        } finally {
            DeviceNative.close(sockets[0]);
            DeviceNative.close(errors[0]);
        }
        if (fd < 0) {
            throw failed("cannot mount on " + mountPoint, message);
        }
        return fd;
    }

    static void unmount(Path mountPoint, boolean lazily) throws MountException {
        List<String> command = new ArrayList<>(List.of(program(), "-u"));
        if (lazily) {
            command.add("-z");
        }
        command.addAll(List.of("--", mountPoint.toString()));
        String what = "cannot unmount " + mountPoint;
        try {
            Process process =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            process.getOutputStream().close();
            String message = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).trim();
            if (process.waitFor() != 0) {
                throw failed(what, message);
            }
        } catch (MountException e) {
            throw e;
        } catch (IOException e) {
            throw new MountException(Reason.FAILED, what + ": " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new MountException(Reason.FAILED, what + ": interrupted", e);
        }
    }

    private static String program() throws MountException {
        return PROGRAMS.stream()
                .filter(Files::isExecutable)
                .findFirst()
                .map(Path::toString)
                .orElseThrow(() -> new MountException(
                        Reason.UNAVAILABLE,
                        "mounting as an ordinary user needs fusermount3; install the package fuse3 (Debian, Ubuntu,"
                                + " Fedora)"));
    }

    /** fusermount3 tells reasons apart only by words. */
    private static MountException failed(String what, String message) {
        String words = message.toLowerCase(Locale.ROOT);
        Reason reason = Reason.FAILED;
        if (words.contains("busy")) {
            reason = Reason.BUSY;
        } else if (words.contains("not found in")
                || words.contains("not mounted")
                || words.contains("invalid argument")) {
            reason = Reason.NOT_MOUNTED;
        } else if (words.contains("no such file") || words.contains("not a directory")) {
            reason = Reason.BAD_MOUNT_POINT;
        } else if (words.contains("permission") || words.contains("not permitted") || words.contains("allowed")) {
            reason = Reason.PERMISSION;
        }
        return new MountException(reason, what + ": " + (message.isEmpty() ? "fusermount3 failed" : message));
    }
}
