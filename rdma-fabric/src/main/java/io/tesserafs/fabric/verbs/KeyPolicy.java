package io.tesserafs.fabric.verbs;

import java.util.Optional;

/**
 * How a target is to give keys to its memory.
 *
 * @param revocation empty: what suits the device best
 * @param onDemandIfEmulated use on-demand paging of soft-RoCE too, which puts bytes in the wrong place unless they begin and end with a page
 *     (seen in the sources of Linux 6.15 and later, and in 6.18)
 */
public record KeyPolicy(Optional<Revocation> revocation, boolean onDemandIfEmulated) {
    public static final KeyPolicy BEST = new KeyPolicy(Optional.empty(), false);

    public static KeyPolicy of(Revocation revocation) {
        return new KeyPolicy(Optional.of(revocation), false);
    }
}
