package io.tesserafs.node.namespace;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Entries of one directory in order of their cookies, with a hash index over the names. About 36 bytes an entry beside its name. An
 * entry keeps its cookie for life, so a reader that comes back with one goes on where it was. Owner's lock held by all callers.
 */
final class Directory {
    /** Lower cookies belong to "." and ".." and whatever else the caller invents. */
    static final long FIRST_COOKIE = 16;

    private static final int INITIAL = 4;

    private long parent;
    private byte[] @Nullable [] names = new byte[INITIAL][];
    private long[] inos = new long[INITIAL];
    private long[] cookies = new long[INITIAL];
    /** Used slots, removed entries (null names) included. */
    private int used;

    private int live;
    private long nextCookie = FIRST_COOKIE;
    /** Slot + 1 by hash of the name, open addressing with linear probing; 0 is empty. */
    private int[] index = new int[INITIAL * 2];

    Directory(long parent) {
        this.parent = parent;
    }

    long parent() {
        return parent;
    }

    void parent(long ino) {
        parent = ino;
    }

    int size() {
        return live;
    }

    long nextCookie() {
        return nextCookie;
    }

    void nextCookieAtLeast(long cookie) {
        nextCookie = Math.max(nextCookie, cookie);
    }

    /** Inode number of the entry, 0 if there is none. */
    long find(byte[] name) {
        int slot = slotOf(name);
        return slot < 0 ? 0 : inos[slot];
    }

    /** Cookie of the entry, 0 if there is none. */
    long cookieOf(byte[] name) {
        int slot = slotOf(name);
        return slot < 0 ? 0 : cookies[slot];
    }

    /** Adds or replaces. A name that is there under the same cookie only changes its inode. */
    void put(byte[] name, long ino, long cookie) {
        int slot = slotOf(name);
        if (slot >= 0 && cookies[slot] == cookie) {
            inos[slot] = ino;
            return;
        }
        if (slot >= 0) {
            remove(name);
        }
        if (used == names.length) {
            grow();
        }
        if (used > 0 && cookie <= cookies[used - 1]) {
            insertOutOfOrder(name, ino, cookie);
            return;
        }
        names[used] = name;
        inos[used] = ino;
        cookies[used] = cookie;
        enter(name, used++);
        live++;
        nextCookieAtLeast(cookie + 1);
    }

    boolean remove(byte[] name) {
        int at = indexOf(name);
        if (at < 0) {
            return false;
        }
        int slot = index[at] - 1;
        names[slot] = null;
        live--;
        close(at);
        if (slot == used - 1) {
            used--;
        } else if (used > 32 && live < used / 2) {
            rebuild(Math.max(INITIAL, live + live / 2));
        }
        return true;
    }

    /** First slot whose cookie is greater than {@code cookie}; {@link #slots()} at the end. */
    int after(long cookie) {
        int low = 0;
        int high = used;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (cookies[middle] <= cookie) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    int slots() {
        return used;
    }

    /** Null where an entry was removed. */
    byte @Nullable [] nameAt(int slot) {
        return names[slot];
    }

    long inoAt(int slot) {
        return inos[slot];
    }

    long cookieAt(int slot) {
        return cookies[slot];
    }

    private int slotOf(byte[] name) {
        int at = indexOf(name);
        return at < 0 ? -1 : index[at] - 1;
    }

    private int indexOf(byte[] name) {
        int mask = index.length - 1;
        for (int at = hash(name) & mask; index[at] != 0; at = (at + 1) & mask) {
            if (Arrays.equals(names[index[at] - 1], name)) {
                return at;
            }
        }
        return -1;
    }

    private void enter(byte[] name, int slot) {
        int mask = index.length - 1;
        int at = hash(name) & mask;
        while (index[at] != 0) {
            at = (at + 1) & mask;
        }
        index[at] = slot + 1;
    }

    /** Backward-shift deletion: no tombstones in the index. */
    private void close(int hole) {
        int mask = index.length - 1;
        int at = hole;
        while (true) {
            at = (at + 1) & mask;
            int entry = index[at];
            if (entry == 0) {
                break;
            }
            byte[] name = names[entry - 1];
            int home = name == null ? at : hash(name) & mask;
            if (((at - home) & mask) >= ((at - hole) & mask)) {
                index[hole] = entry;
                hole = at;
            }
        }
        index[hole] = 0;
    }

    private void grow() {
        rebuild(live < used * 3 / 4 ? used : used + Math.max(4, used / 2));
    }

    private void rebuild(int capacity) {
        byte[] @Nullable [] oldNames = names;
        long[] oldInos = inos;
        long[] oldCookies = cookies;
        int oldUsed = used;
        names = new byte[capacity][];
        inos = new long[capacity];
        cookies = new long[capacity];
        index = new int[Integer.highestOneBit(capacity * 2 - 1) * 2];
        used = 0;
        for (int slot = 0; slot < oldUsed; slot++) {
            byte[] name = oldNames[slot];
            if (name != null) {
                names[used] = name;
                inos[used] = oldInos[slot];
                cookies[used] = oldCookies[slot];
                enter(name, used++);
            }
        }
    }

    /** Only replay over a checkpoint that already holds later entries comes here. */
    private void insertOutOfOrder(byte[] name, long ino, long cookie) {
        int slot = after(cookie);
        System.arraycopy(names, slot, names, slot + 1, used - slot);
        System.arraycopy(inos, slot, inos, slot + 1, used - slot);
        System.arraycopy(cookies, slot, cookies, slot + 1, used - slot);
        names[slot] = name;
        inos[slot] = ino;
        cookies[slot] = cookie;
        used++;
        live++;
        rebuild(names.length);
    }

    private static int hash(byte[] name) {
        int h = 0x811C9DC5;
        for (byte b : name) {
            h = (h ^ b) * 0x01000193;
        }
        return h ^ h >>> 15;
    }
}
