package io.tesserafs.node.doctor;

import java.io.IOException;

/** One part of the examination. Bounds its time itself; runs beside others. */
interface Check {
    /** Name of the part: what comes before the dot in {@link Finding#check}. */
    String part();

    /** @throws IOException if it cannot be examined, with a message for users */
    void examine(Report report) throws IOException;
}
