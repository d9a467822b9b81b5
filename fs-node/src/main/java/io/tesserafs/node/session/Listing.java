package io.tesserafs.node.session;

import io.tesserafs.node.namespace.InodeAttr;
import java.util.List;

/**
 * Part of a directory as an owner on another node listed it.
 *
 * @param after the cookie it begins after
 * @param plus it came with the right to remember the attributes, where that was to be had
 * @param sequence of the directory's token, or 0
 */
record Listing(long dir, long after, boolean plus, long sequence, List<Entry> entries) {
    /** @param next the cookie that the next entry comes after */
    record Entry(byte[] name, long next, InodeAttr attr) {}

    /** Where to go on after that cookie; -1 if that is not in here. */
    int indexAfter(long cookie) {
        if (cookie == after) {
            return 0;
        }
        for (int i = 0; i < entries.size(); i++) {
            if (entries.get(i).next == cookie) {
                return i + 1;
            }
        }
        return -1;
    }
}
