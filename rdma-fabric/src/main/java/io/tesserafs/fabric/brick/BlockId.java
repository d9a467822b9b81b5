package io.tesserafs.fabric.brick;

/**
 * Logical id of a 2 MiB block, unique in the cluster for all time and never reused: the volume's number in the upper 16 bits
 * (1..65535; 0 is no volume), a sequence number granted by the volume's owner in the lower 48.
 */
public record BlockId(long value) implements Comparable<BlockId> {
    /** Bytes in a block, which is also the size of a tile (extent) of a file. */
    public static final int BLOCK_BYTES = 2 << 20;

    private static final int SEQUENCE_BITS = 48;

    public static BlockId of(int volume, long sequence) {
        if (volume < 1 || volume > 0xFFFF || sequence < 0 || sequence >>> SEQUENCE_BITS != 0) {
            throw new IllegalArgumentException("block id out of range: volume " + volume + ", sequence " + sequence);
        }
        return new BlockId(((long) volume << SEQUENCE_BITS) | sequence);
    }

    public int volume() {
        return (int) (value >>> SEQUENCE_BITS);
    }

    public long sequence() {
        return value & ((1L << SEQUENCE_BITS) - 1);
    }

    @Override
    public int compareTo(BlockId other) {
        return Long.compareUnsigned(value, other.value);
    }

    @Override
    public String toString() {
        return volume() + ":" + sequence();
    }
}
