package io.tesserafs.coherence.token;

/** What a token guards: one aspect of one inode. Only DATA has ranges; the others are always taken whole. */
public record Resource(long inode, Kind kind) {
    /** The aspect. */
    public enum Kind {
        /** A file's bytes. */
        DATA,
        /** Size, times, owner, mode. */
        ATTR,
        /** A directory's names. */
        ENTRIES
    }

    public static Resource data(long inode) {
        return new Resource(inode, Kind.DATA);
    }

    boolean hasRanges() {
        return kind == Kind.DATA;
    }
}
