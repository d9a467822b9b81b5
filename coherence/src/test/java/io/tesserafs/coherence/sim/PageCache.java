package io.tesserafs.coherence.sim;

import org.jspecify.annotations.Nullable;

/** The kernel's cache of one node. */
final class PageCache {
    /** Has pages locked. */
    interface Holder {}

    /** The kernel writes a page back. */
    static final class Writeback implements Holder {}

    /** One page of a file. */
    static final class Page {
        boolean cached;
        /** Changed through a mapping, and not written back yet. */
        boolean dirty;

        long value;

        /** The system call, or the writeback, that has it locked. */
        @Nullable
        Holder lockedBy;

        void fill(long content) {
            cached = true;
            value = content;
        }

        void drop() {
            cached = false;
            dirty = false;
        }
    }

    private final Page[][] pages = new Page[World.FILES][World.PAGES];

    PageCache() {
        for (Page[] file : pages) {
            for (int i = 0; i < file.length; i++) {
                file[i] = new Page();
            }
        }
    }

    Page page(int file, int page) {
        return pages[file][page];
    }

    void lock(int file, int from, int to, Holder by) {
        for (int i = from; i < to; i++) {
            pages[file][i].lockedBy = by;
        }
    }

    void unlock(int file, Holder by) {
        for (Page page : pages[file]) {
            if (by.equals(page.lockedBy)) {
                page.lockedBy = null;
            }
        }
    }
}
