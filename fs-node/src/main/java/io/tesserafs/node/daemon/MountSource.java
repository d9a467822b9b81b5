package io.tesserafs.node.daemon;

import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What a mount shows as its device in mountinfo and df: {@code VOLUME@STATE-DIR}. It leads from any path to its daemon. Characters
 * of the directory that mount options cannot carry are percent-encoded.
 */
public record MountSource(String volume, Path stateDir) {
    /** Empty if {@code source} is not of that form: another program's mount. */
    public static Optional<MountSource> parse(String source) {
        int at = source.indexOf('@');
        if (at < 1 || at + 1 == source.length() || source.charAt(at + 1) != '/') {
            return Optional.empty();
        }
        String directory = URLDecoder.decode(source.substring(at + 1).replace("+", "%2B"), StandardCharsets.UTF_8);
        return Optional.of(new MountSource(source.substring(0, at), Path.of(directory)));
    }

    @Override
    public String toString() {
        String encoded = URLEncoder.encode(stateDir.toString(), StandardCharsets.UTF_8)
                .replace("+", "%20")
                .replace("%2F", "/");
        return volume + "@" + encoded;
    }
}
