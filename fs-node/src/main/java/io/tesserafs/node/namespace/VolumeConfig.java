package io.tesserafs.node.namespace;

import java.util.UUID;

/**
 * What a volume is.
 *
 * @param number 1..65535, the upper bits of its block ids
 * @param maxInodes creation beyond this fails with ENOSPC
 */
public record VolumeConfig(String name, int number, UUID uuid, long maxInodes) {
    public static final long DEFAULT_MAX_INODES = 100_000_000;

    public VolumeConfig {
        if (number < 1 || number > 0xFFFF || maxInodes < 1) {
            throw new IllegalArgumentException("volume " + name + ": number " + number + ", maxInodes " + maxInodes);
        }
    }
}
