package io.tesserafs.fuse.protocol;

/**
 * What INIT settled.
 *
 * @param minor protocol minor version both sides speak
 * @param flags feature bits of {@link InitLayout} in force
 */
record Negotiated(int minor, int maxWriteBytes, long flags) {
    boolean has(long flag) {
        return (flags & flag) != 0;
    }
}
