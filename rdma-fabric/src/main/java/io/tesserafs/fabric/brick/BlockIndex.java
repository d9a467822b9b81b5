package io.tesserafs.fabric.brick;

import java.util.Arrays;

/**
 * Logical id → index of the block in the pool. Open addressing with linear probing in two primitive arrays: 12 bytes a slot, at
 * most two thirds full. Ids are never 0. Not thread-safe.
 */
final class BlockIndex {
    static final int NONE = -1;

    private static final int INITIAL_SLOTS = 1024;

    private long[] ids = new long[INITIAL_SLOTS];
    private int[] indices = new int[INITIAL_SLOTS];
    private int size;

    int size() {
        return size;
    }

    int get(long id) {
        int slot = find(id);
        return ids[slot] == id ? indices[slot] : NONE;
    }

    /** Returns false, and changes nothing, if the id is there already. */
    boolean putIfAbsent(long id, int index) {
        int slot = find(id);
        if (ids[slot] == id) {
            return false;
        }
        ids[slot] = id;
        indices[slot] = index;
        size++;
        if (size > ids.length / 3 * 2) {
            grow();
        }
        return true;
    }

    /** Returns the index the id had, or {@link #NONE}. */
    int remove(long id) {
        int hole = find(id);
        if (ids[hole] != id) {
            return NONE;
        }
        final int removed = indices[hole];
        int mask = ids.length - 1;
        // Move later entries of the run back, so that none becomes unreachable; no tombstones to accumulate.
        for (int slot = (hole + 1) & mask; ids[slot] != 0; slot = (slot + 1) & mask) {
            int home = home(ids[slot]);
            if (((slot - home) & mask) >= ((slot - hole) & mask)) {
                ids[hole] = ids[slot];
                indices[hole] = indices[slot];
                hole = slot;
            }
        }
        ids[hole] = 0;
        size--;
        return removed;
    }

    /** All ids, in unsigned ascending order. */
    long[] sortedIds() {
        long[] all = new long[size];
        int n = 0;
        for (long id : ids) {
            if (id != 0) {
                all[n++] = id ^ Long.MIN_VALUE;
            }
        }
        Arrays.sort(all);
        for (int i = 0; i < n; i++) {
            all[i] ^= Long.MIN_VALUE;
        }
        return all;
    }

    private int find(long id) {
        int mask = ids.length - 1;
        int slot = home(id);
        while (ids[slot] != 0 && ids[slot] != id) {
            slot = (slot + 1) & mask;
        }
        return slot;
    }

    private int home(long id) {
        long h = id * 0x9E3779B97F4A7C15L;
        return (int) (h >>> 32) & (ids.length - 1);
    }

    private void grow() {
        long[] oldIds = ids;
        int[] oldIndices = indices;
        ids = new long[oldIds.length * 2];
        indices = new int[ids.length];
        for (int i = 0; i < oldIds.length; i++) {
            if (oldIds[i] != 0) {
                int slot = find(oldIds[i]);
                ids[slot] = oldIds[i];
                indices[slot] = oldIndices[i];
            }
        }
    }
}
