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

    private OwnerSession() {}

    /** Fences all owners of the epochs from {@code from} to before {@code to} on one brick. */
    static void fence(OwnerBricks bricks, BrickId brick, UUID volume, long from, long to) throws BrickException {
        for (long epoch = from; epoch < to; epoch++) {
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
