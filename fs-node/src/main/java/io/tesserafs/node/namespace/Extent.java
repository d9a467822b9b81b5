package io.tesserafs.node.namespace;

/**
 * One tile of a file in its extent map.
 *
 * @param tile index: the tile covers bytes [tile * 2 MiB, (tile + 1) * 2 MiB) of the file
 * @param validBytes bytes from the tile's start that were written (or zeroed); the rest reads as zeros whatever the memory holds.
 *     At most {@code ref.bytes()}
 */
public record Extent(long tile, ExtentRef ref, int validBytes) {
    public Extent {
        if (tile < 0 || validBytes < 0 || validBytes > ref.bytes()) {
            throw new IllegalArgumentException("bad extent: tile " + tile + ", valid " + validBytes + " of " + ref);
        }
    }
}
