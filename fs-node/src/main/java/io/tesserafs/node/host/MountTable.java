package io.tesserafs.node.host;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The mounts of this process's namespace, from /proc/self/mountinfo (proc(5)). Reading it touches no mount. */
public record MountTable(List<Mount> mounts) {
    /** File system type of ours, as the kernel shows it: fuse with a subtype. */
    public static final String TYPE = "fuse.tesserafs";

    /**
     * One mount, later ones on the same point hide earlier ones.
     *
     * @param device major:minor, the minor being the number of the FUSE connection
     * @param options of the mount point, then those of the file system
     */
    public record Mount(String device, Path point, String type, String source, List<String> options) {
        public boolean isTessera() {
            return type.equals(TYPE);
        }

        /** N of /sys/fs/fuse/connections/N. */
        public String connection() {
            return device.substring(device.indexOf(':') + 1);
        }
    }

    public static MountTable read() throws IOException {
        return parse(Files.readString(Path.of("/proc/self/mountinfo"), StandardCharsets.UTF_8));
    }

    public static MountTable parse(String mountinfo) {
        List<Mount> mounts = new ArrayList<>();
        for (String line : mountinfo.lines().toList()) {
            String[] fields = line.split(" ", -1);
            int separator = 6;
            while (separator < fields.length && !fields[separator].equals("-")) {
                separator++;
            }
            if (separator + 2 < fields.length) {
                mounts.add(new Mount(
                        fields[2],
                        Path.of(unescape(fields[4])),
                        fields[separator + 1],
                        unescape(fields[separator + 2]),
                        options(fields[5], separator + 3 < fields.length ? fields[separator + 3] : "")));
            }
        }
        return new MountTable(List.copyOf(mounts));
    }

    /** The topmost mount exactly at {@code point}. */
    public Optional<Mount> at(Path point) {
        return mounts.reversed().stream()
                .filter(mount -> mount.point().equals(point))
                .findFirst();
    }

    /** The mount that {@code path} (absolute, normalized, links resolved) is on. */
    public Optional<Mount> containing(Path path) {
        Optional<Mount> best = Optional.empty();
        for (Mount mount : mounts) {
            if (path.startsWith(mount.point())
                    && (best.isEmpty()
                            || mount.point().getNameCount()
                                    >= best.get().point().getNameCount())) {
                best = Optional.of(mount);
            }
        }
        return best;
    }

    /** Other mounts inside {@code point}; each of them keeps it busy. */
    public List<Mount> below(Path point) {
        return mounts.stream()
                .filter(mount ->
                        mount.point().startsWith(point) && !mount.point().equals(point))
                .toList();
    }

    private static List<String> options(String ofMount, String ofFileSystem) {
        List<String> all = new ArrayList<>(List.of(ofMount.split(",", -1)));
        all.addAll(List.of(ofFileSystem.split(",", -1)));
        return List.copyOf(all);
    }

    /** The kernel writes space, tab, newline and backslash as three octal digits. */
    private static String unescape(String field) {
        if (field.indexOf('\\') < 0) {
            return field;
        }
        byte[] bytes = field.getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream plain = new ByteArrayOutputStream(bytes.length);
        for (int i = 0; i < bytes.length; i++) {
            if (bytes[i] == '\\' && i + 3 < bytes.length) {
                plain.write((bytes[i + 1] - '0') << 6 | (bytes[i + 2] - '0') << 3 | (bytes[i + 3] - '0'));
                i += 3;
            } else {
                plain.write(bytes[i]);
            }
        }
        return plain.toString(StandardCharsets.UTF_8);
    }
}
