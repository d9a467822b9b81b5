package io.tesserafs.fabric.brick;

/** Number of a brick, given by the cluster when the pool first joins and written in the pool's header. 1..65535. */
public record BrickId(int value) {
    public BrickId {
        if (value < 1 || value > 0xFFFF) {
            throw new IllegalArgumentException("brick id out of range: " + value);
        }
    }

    @Override
    public String toString() {
        return "b" + value;
    }
}
