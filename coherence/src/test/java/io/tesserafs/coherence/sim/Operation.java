package io.tesserafs.coherence.sim;

import io.tesserafs.coherence.token.Mode;
import io.tesserafs.coherence.token.SteppedTokens;
import org.jspecify.annotations.Nullable;

/** A system call of an application on some pages of a file. */
final class Operation implements PageCache.Holder {
    /** What it does. */
    enum Kind {
        READ,
        /** Past the page cache. */
        DIRECT_READ,
        /** The owner is asked, and gives along what token is free. */
        PEEK,
        /** Through the page cache, and on to the brick at once. */
        WRITE,
        /** A load and a store through a mapping. */
        STORE
    }

    /** Its request to the daemon, with the pages it is for. */
    final class Entry extends SteppedTokens.Request {
        final int fromPage;
        final int toPage;
        final Mode mode;

        Entry(int fromPage, int toPage, Mode mode, int lockedFrom, int lockedTo) {
            super(
                    fromPage * SteppedTokens.PAGE_BYTES,
                    toPage * SteppedTokens.PAGE_BYTES,
                    mode,
                    lockedFrom * SteppedTokens.PAGE_BYTES,
                    lockedTo * SteppedTokens.PAGE_BYTES);
            this.fromPage = fromPage;
            this.toPage = toPage;
            this.mode = mode;
        }

        Operation operation() {
            return Operation.this;
        }
    }

    final Kind kind;
    final int file;
    final int fromPage;
    final int toPage;
    final long startedUs;
    /** What had been read or written to the end when this began, per page: it must not see less. */
    final long[] atLeast;

    /** Of a PEEK: changes of this node when it began. */
    long changes;

    /** Pages from here on are yet to be read. */
    int at;

    @Nullable
    Entry entry;

    /** A write's hold on what comes after its first page. */
    @Nullable
    Entry rest;

    boolean done;
    boolean ok;

    Operation(Kind kind, int file, int fromPage, int toPage, World world) {
        this.kind = kind;
        this.file = file;
        this.fromPage = fromPage;
        this.toPage = toPage;
        this.at = fromPage;
        this.startedUs = world.nowUs();
        this.atLeast = world.completed[file].clone();
    }

    @Override
    public String toString() {
        return kind + " of file " + file + " pages " + fromPage + ".." + (toPage - 1) + " begun at " + startedUs
                + " us";
    }
}
