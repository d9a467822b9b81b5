package io.tesserafs.coherence.volume;

import org.jspecify.annotations.Nullable;

/**
 * The newest epoch of a volume; 0 before the first owner. Changed only by raising it.
 *
 * @param owner the node elected for it, for people to read
 */
record EpochRecord(long epoch, @Nullable String owner) {}
