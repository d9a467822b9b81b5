package io.tesserafs.node.doctor;

import io.tesserafs.node.daemon.ClusterSecret;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.Set;

/** The file that all nodes of a cluster share: who can read it, can join and read everything. */
final class SecretCheck implements Check {
    private static final Set<PosixFilePermission> OWNERS =
            EnumSet.of(PosixFilePermission.OWNER_READ, PosixFilePermission.OWNER_WRITE);

    private final Path file;
    private final boolean shared;

    SecretCheck(Subject subject) {
        this(subject.config().fabric().secretFile(), subject.hasEnsemble());
    }

    /** @param shared whether nodes on other hosts need the same file */
    SecretCheck(Path file, boolean shared) {
        this.file = file;
        this.shared = shared;
    }

    @Override
    public String part() {
        return "secret";
    }

    @Override
    public void examine(Report report) throws IOException {
        if (!Files.exists(file)) {
            if (shared) {
                report.warn(
                        "file",
                        "there is no cluster secret in " + file
                                + "; the daemon would make one that no other node knows",
                        "unless this is the first node: copy the file of another node there, mode 0600");
            } else {
                report.info("file", "there is no cluster secret in " + file + " yet; the daemon makes it");
            }
            return;
        }
        PosixFileAttributes attributes = Files.readAttributes(file, PosixFileAttributes.class);
        if (!OWNERS.containsAll(attributes.permissions())) {
            report.fail(
                    "file",
                    file + " is open to others than its owner ("
                            + PosixFilePermissions.toString(attributes.permissions()) + ")",
                    "chmod 600 " + file + "; if others may have read it, replace it on all nodes while they are down");
        } else if (attributes.size() < ClusterSecret.BYTES) {
            report.fail(
                    "file",
                    file + " is too short for a secret: " + attributes.size() + " bytes",
                    "copy it again from another node");
        } else if (!Files.isReadable(file)) {
            report.warn(
                    "file",
                    file + " belongs to " + attributes.owner().getName() + " and cannot be read by this user",
                    "run this as the daemon's user, or as root");
        } else {
            report.ok("file", file + " is for its owner " + attributes.owner().getName() + " only");
        }
    }
}
