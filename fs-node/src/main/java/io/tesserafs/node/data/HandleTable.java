package io.tesserafs.node.data;

import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.FsException;
import java.util.ArrayDeque;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * File handles as numbers for the kernel: slot in the lower half, generation in the upper, so that a stale number never reaches
 * another file. Lookups take no lock.
 */
final class HandleTable {
    private record Slot(int generation, OpenFile file) {}

    private static final int INITIAL = 256;
    /** Far above any limit of open files; a runaway is an error, not an exhausted heap. */
    private static final int MAX_HANDLES = 4 << 20;

    private volatile AtomicReferenceArray<@Nullable Slot> slots = new AtomicReferenceArray<>(INITIAL);
    private final ArrayDeque<Integer> free = new ArrayDeque<>();
    private int used;
    private int generation;

    synchronized long add(OpenFile file) throws FsException {
        Integer reuse = free.poll();
        int slot = reuse == null ? used++ : reuse;
        AtomicReferenceArray<@Nullable Slot> array = slots;
        if (slot >= array.length()) {
            if (slot >= MAX_HANDLES) {
                used--;
                throw new FsException(Errno.ENOMEM, "too many open files");
            }
            AtomicReferenceArray<@Nullable Slot> larger = new AtomicReferenceArray<>(array.length() * 2);
            for (int i = 0; i < array.length(); i++) {
                larger.set(i, array.get(i));
            }
            slots = larger;
            array = larger;
        }
        generation = generation + 1 & Integer.MAX_VALUE;
        array.set(slot, new Slot(generation, file));
        return (long) generation << 32 | slot;
    }

    @Nullable
    OpenFile find(long handle) {
        AtomicReferenceArray<@Nullable Slot> array = slots;
        int slot = (int) handle;
        if (handle < 0 || slot < 0 || slot >= array.length()) {
            return null;
        }
        Slot entry = array.get(slot);
        return entry != null && entry.generation == (int) (handle >>> 32) ? entry.file : null;
    }

    OpenFile get(long handle) throws FsException {
        OpenFile file = find(handle);
        if (file == null) {
            throw new FsException(Errno.EBADF, "no such handle");
        }
        return file;
    }

    synchronized @Nullable OpenFile remove(long handle) {
        OpenFile file = find(handle);
        if (file != null) {
            slots.set((int) handle, null);
            free.add((int) handle);
        }
        return file;
    }

    synchronized int count() {
        return used - free.size();
    }
}
