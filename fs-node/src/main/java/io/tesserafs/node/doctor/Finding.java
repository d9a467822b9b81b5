package io.tesserafs.node.doctor;

import org.jspecify.annotations.Nullable;

/**
 * What one check found.
 *
 * @param check a name that stays the same between versions, such as {@code rdma.port}
 * @param node the node it is about; null if about the host
 * @param fact one line
 * @param remedy one line on what to do; null if nothing is to be done
 */
public record Finding(
        String check,
        @Nullable Integer node,
        Verdict verdict,
        String fact,
        @Nullable String remedy) {
    public Finding {
        if (fact.lines().count() > 1) {
            throw new IllegalArgumentException("more than one line: " + fact);
        }
    }
}
