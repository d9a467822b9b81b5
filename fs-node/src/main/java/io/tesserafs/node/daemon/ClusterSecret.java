package io.tesserafs.node.daemon;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** What proves that a peer is of this cluster: random bytes in a file that only the daemons' user can read, the same on all nodes. */
public final class ClusterSecret {
    /** At least. */
    public static final int BYTES = 32;

    private static final int MAX_BYTES = 4096;

    private ClusterSecret() {}

    /** Makes the file if it is missing. */
    static byte[] loadOrCreate(Path file) throws IOException, StartException {
        try {
            create(file);
        } catch (FileAlreadyExistsException present) {
            // The usual case.
        }
        return load(file);
    }

    /** Of a file that is there. */
    public static byte[] load(Path file) throws IOException, StartException {
        if (Files.size(file) > MAX_BYTES) {
            throw new StartException(file + " is no cluster secret: it has " + Files.size(file) + " bytes");
        }
        byte[] secret = Files.readAllBytes(file);
        if (secret.length < BYTES) {
            throw new StartException(
                    file + " is too short for a cluster secret: " + secret.length + " bytes, at least " + BYTES);
        }
        return secret;
    }

    /** A password of its own for another use, from which the secret cannot be had. */
    public static String derive(byte[] secret, String use) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(secret, "HmacSHA256"));
            return HexFormat.of().formatHex(mac.doFinal(use.getBytes(StandardCharsets.US_ASCII)));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java has HMAC-SHA-256", e);
        }
    }

    private static void create(Path file) throws IOException {
        if (Files.exists(file)) {
            return;
        }
        byte[] secret = new byte[BYTES];
        new SecureRandom().nextBytes(secret);
        Path fresh = Files.createTempFile(
                file.toAbsolutePath().getParent(),
                "secret",
                ".new",
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        try {
            try (FileChannel channel = FileChannel.open(fresh, StandardOpenOption.WRITE)) {
                channel.write(ByteBuffer.wrap(secret));
                channel.force(true);
            }
            Files.createLink(file, fresh); // fails if another node made it meanwhile: then that one counts
        } finally {
            Files.delete(fresh);
        }
    }
}
