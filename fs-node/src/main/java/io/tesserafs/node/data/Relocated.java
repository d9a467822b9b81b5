package io.tesserafs.node.data;

/**
 * How far the relocation of a file came.
 *
 * @param extents that were moved
 * @param bytes that were copied for that
 * @param staying extents that are elsewhere, as they changed while they were to be moved: it is to be run again
 * @param next the tile to go on with; -1 if that was all
 */
public record Relocated(long extents, long bytes, long staying, long next) {}
