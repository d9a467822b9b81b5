package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.SessionId;
import java.util.UUID;

/**
 * The session under which a volume's owner uses bricks. It follows from volume and epoch, so that the next owner can fence it without having to be
 * told.
 */
public final class OwnerSession {
    /** Splits values that are next to each other; from SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators). */
    private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;

    /** So long ago one may have begun that has stood still ever since, and does not know that it was deposed. */
    private static final long FENCED_EPOCHS = 64;

    private OwnerSession() {}

    /**
     * Fences earlier owners on one brick. Not only the last: it may have been away in the terms of those who should have fenced others before them there, or have
     * forgotten it when it was started anew.
     *
     * @param lastEpoch of the last owner that began its term
     */
    static void fence(OwnerBricks bricks, BrickId brick, UUID volume, long lastEpoch, long ownEpoch)
            throws BrickException {
        for (long epoch = Math.min(lastEpoch, Math.max(1, ownEpoch - FENCED_EPOCHS)); epoch < ownEpoch; epoch++) {
            SessionId deposed = of(volume, epoch);
            bricks.tell(brick, client -> client.fence(deposed));
        }
    }

    public static SessionId of(UUID volume, long epoch) {
        long z = (volume.getMostSignificantBits() ^ volume.getLeastSignificantBits()) + epoch * GOLDEN_GAMMA;
        z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
        z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
        return new SessionId(z ^ z >>> 31 | 1);
    }
}
