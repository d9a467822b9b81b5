package io.tesserafs.coherence.token;

/**
 * What a token guards: one aspect of one inode.
 *
 * <p>ATTR has ranges too, though no bytes lie there: every node writes sizes and times under EXCLUSIVE of a page of its own, its
 * <em>lane</em>, and who reads attributes takes SHARED of all. So any number of nodes write into one file without passing a token
 * about, until somebody asks for its attributes.
 */
public record Resource(long inode, Kind kind) {
    /** The aspect. */
    public enum Kind {
        /** A file's bytes. */
        DATA,
        /** Size, times, owner, mode of anything but a directory. */
        ATTR,
        /** A directory's names, and its own attributes. Always taken whole. */
        ENTRIES
    }

    public static Resource data(long inode) {
        return new Resource(inode, Kind.DATA);
    }

    public static Resource attributes(long inode) {
        return new Resource(inode, Kind.ATTR);
    }

    public static Resource entries(long directory) {
        return new Resource(directory, Kind.ENTRIES);
    }

    boolean hasRanges() {
        return kind != Kind.ENTRIES;
    }
}
