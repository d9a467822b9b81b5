package io.tesserafs.coherence.volume;

import java.util.Map;
import java.util.UUID;

/**
 * A volume as the cluster knows it.
 *
 * @param number 1..65535, part of the id of each of its blocks, never given out twice
 * @param options say {@code maxInodes}; what they mean is the namespace's business
 * @param createdAtMs since 1970
 */
public record VolumeInfo(
        int number, UUID uuid, String name, State state, Map<String, String> options, long createdAtMs) {
    /** Where it is in its life. */
    public enum State {
        ACTIVE,
        /** Not to be used any more; its blocks are being freed. The name is taken until it is removed. */
        DELETING;

        boolean mayBecome(State next) {
            return this == ACTIVE && next == DELETING;
        }
    }

    public VolumeInfo {
        options = Map.copyOf(options);
    }

    VolumeInfo with(State next) {
        if (!state.mayBecome(next)) {
            throw new IllegalStateException("volume '" + name + "' is " + state + ", cannot become " + next);
        }
        return new VolumeInfo(number, uuid, name, next, options, createdAtMs);
    }
}
