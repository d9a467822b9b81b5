package io.tesserafs.node.namespace;

/**
 * Part of a file that may be lost with the memory of a brick's host.
 *
 * @param durableBytes of the extent, from its beginning, that are safe
 * @param validBytes how many it has; more than that
 */
public record LooseExtent(long ino, long tile, ExtentRef ref, int durableBytes, int validBytes) {}
