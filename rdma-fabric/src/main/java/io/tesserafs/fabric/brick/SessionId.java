package io.tesserafs.fabric.brick;

/** A node's session with a volume's owner; every handle is bound to one, and FENCE kills the handles of one. Not 0. */
public record SessionId(long value) {
    @Override
    public String toString() {
        return "s" + Long.toHexString(value);
    }
}
