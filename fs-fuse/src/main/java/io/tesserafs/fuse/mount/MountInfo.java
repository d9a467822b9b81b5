package io.tesserafs.fuse.mount;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * One line of /proc/self/mountinfo. Reading that file asks no filesystem anything, so it works when a mount hangs, where stat
 * would hang with it.
 *
 * @param deviceMajor 0 for FUSE
 * @param deviceMinor for FUSE also the number of the connection under /sys/fs/fuse/connections
 * @param type for example {@code fuse.tesserafs}
 */
public record MountInfo(int deviceMajor, int deviceMinor, Path mountPoint, String type, String source) {
    private static final Path PROC_FILE = Path.of("/proc/self/mountinfo");

    /** Fields 3 and 5 of 6 or more, a "-", then type and source. */
    private static final int FIELD_DEVICE = 2;

    private static final int FIELD_MOUNT_POINT = 4;

    /** All mounts that this process sees, in the order they were made. */
    public static List<MountInfo> all() throws IOException {
        return Files.readAllLines(PROC_FILE).stream().map(MountInfo::parse).toList();
    }

    /** The topmost mount at exactly {@code mountPoint}, which must be absolute and without symbolic links. */
    public static Optional<MountInfo> at(Path mountPoint) throws IOException {
        return all().stream().filter(m -> m.mountPoint.equals(mountPoint)).reduce((first, last) -> last);
    }

    static MountInfo parse(String line) {
        String[] fields = line.split(" ", -1);
        int dash = 0;
        while (!fields[dash].equals("-")) {
            dash++;
        }
        String[] device = fields[FIELD_DEVICE].split(":", -1);
        return new MountInfo(
                Integer.parseInt(device[0]),
                Integer.parseInt(device[1]),
                Path.of(unescape(fields[FIELD_MOUNT_POINT])),
                unescape(fields[dash + 1]),
                unescape(fields[dash + 2]));
    }

    /** White space and backslashes are written as a backslash and three octal digits. */
    private static String unescape(String field) {
        StringBuilder text = new StringBuilder(field.length());
        for (int i = 0; i < field.length(); i++) {
            char c = field.charAt(i);
            if (c == '\\' && i + 3 < field.length()) {
                text.append((char) Integer.parseInt(field.substring(i + 1, i + 4), 8));
                i += 3;
            } else {
                text.append(c);
            }
        }
        return text.toString();
    }
}
