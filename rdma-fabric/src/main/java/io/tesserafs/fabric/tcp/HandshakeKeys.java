package io.tesserafs.fabric.tcp;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Keys of one connection, one for each direction, after the pattern of HKDF (RFC 5869) with HMAC-SHA256: extracted from the cluster's
 * secret with both nonces as salt, expanded with the direction's name. A side proves that it knows the secret by an HMAC with its
 * direction's key over all that was said before: both greetings, hence nonces, nodes, incarnations, versions and features, and
 * for the second proof also the first.
 */
final class HandshakeKeys {
    static final int PROOF_BYTES = 32;

    private static final String ALGORITHM = "HmacSHA256";

    private final byte[] initiatorKey;
    private final byte[] responderKey;

    HandshakeKeys(byte[] secret, byte[] initiatorNonce, byte[] responderNonce) {
        byte[] salt = new byte[initiatorNonce.length + responderNonce.length];
        System.arraycopy(initiatorNonce, 0, salt, 0, initiatorNonce.length);
        System.arraycopy(responderNonce, 0, salt, initiatorNonce.length, responderNonce.length);
        byte[] extracted = hmac(salt, ByteBuffer.wrap(secret));
        this.initiatorKey = expand(extracted, "tesserafs tcp 1 initiator");
        this.responderKey = expand(extracted, "tesserafs tcp 1 responder");
    }

    private static byte[] expand(byte[] extracted, String direction) {
        byte[] info = (direction + "\u0001").getBytes(StandardCharsets.UTF_8);
        return hmac(extracted, ByteBuffer.wrap(info));
    }

    /** @param greetings HELLO's body, then the first {@link GreetingLayout#HELLO_BYTES} of CHALLENGE's */
    byte[] responderProof(ByteBuffer... greetings) {
        return hmac(responderKey, greetings);
    }

    /** @param greetings both bodies, CHALLENGE's with its proof */
    byte[] initiatorProof(ByteBuffer... greetings) {
        return hmac(initiatorKey, greetings);
    }

    /** In a time that does not tell where they differ. */
    static boolean equal(byte[] expected, byte[] received) {
        return MessageDigest.isEqual(expected, received);
    }

    private static byte[] hmac(byte[] key, ByteBuffer... parts) {
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(new SecretKeySpec(key, ALGORITHM));
            for (ByteBuffer part : parts) {
                mac.update(part.duplicate());
            }
            return mac.doFinal();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java has " + ALGORITHM, e);
        }
    }
}
