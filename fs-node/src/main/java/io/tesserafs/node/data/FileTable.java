package io.tesserafs.node.data;

import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.coherence.token.Resource;
import io.tesserafs.coherence.token.TokenClient;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.VolumeService;
import java.util.Collection;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** The regular files that are open here or still have changes to make durable. Thread-safe. */
final class FileTable {
    private final VolumeService service;
    private final TokenClient tokens;
    private final BlockMap blocks;
    private final ConcurrentHashMap<Long, FileState> files = new ConcurrentHashMap<>();
    private final Set<FileState> dirty = ConcurrentHashMap.newKeySet();
    private final UntoldFailures untold = new UntoldFailures();
    /** Files here with failures that nobody was told of. */
    private final AtomicInteger filesUntold = new AtomicInteger();

    private volatile long removals;

    FileTable(VolumeService service, TokenClient tokens, BlockMap blocks) {
        this.service = service;
        this.tokens = tokens;
        this.blocks = blocks;
    }

    @Nullable
    FileState find(long ino) {
        return files.get(ino);
    }

    /**
     * Grows whenever a file leaves the table. Who finds no file, but sees that one left since it asked the owner for attributes, must ask again: its answer may
     * be older than the last commit.
     */
    long removals() {
        return removals;
    }

    FileState acquire(long ino) throws FsException {
        FileState open = files.computeIfPresent(ino, (key, file) -> {
            file.references++;
            return file;
        });
        while (open == null) {
            long before = removals;
            InodeAttr attr = service.getattr(ino);
            open = files.compute(ino, (key, present) -> {
                if (present == null && removals != before) {
                    return null; // what we were told may be older than the last commit
                }
                FileState state = present != null ? present : newState(attr);
                state.references++;
                return state;
            });
        }
        return open;
    }

    /** As {@link #acquire} if it is open already, or the inode's attributes are known; else null. Never waits. */
    @Nullable
    FileState acquireKnown(long ino) {
        long before = removals;
        InodeAttr attr = service.known(ino);
        return files.compute(ino, (key, present) -> {
            FileState state = present;
            if (state == null && attr != null && attr.isRegular() && removals == before) {
                state = newState(attr);
            }
            if (state != null) {
                state.references++;
            }
            return state;
        });
    }

    private FileState newState(InodeAttr attr) {
        FileState file = new FileState(
                attr,
                tokens.open(Resource.data(attr.ino())),
                tokens.open(Resource.attributes(attr.ino())),
                new TileMap(service, blocks, attr.ino()),
                filesUntold);
        int errno = untold.take(attr.ino());
        if (errno != 0) {
            file.failed(errno);
        }
        return file;
    }

    /**
     * For a file that was just made, and has no extents.
     *
     * @param alone no other node can have found it yet, or ever will without this one hearing of it first
     */
    FileState acquireNew(InodeAttr attr, boolean alone) {
        FileState file = newState(attr);
        int attrTicket = file.attrTokens.tryEnter(0, FileTokens.TO_END, Mode.EXCLUSIVE);
        int dataTicket = file.tokens.tryEnter(0, FileTokens.TO_END, Mode.EXCLUSIVE);
        try {
            boolean ours = attrTicket != FileTokens.REFUSED && dataTicket != FileTokens.REFUSED;
            if (alone || ours && isEmptyStill(file)) {
                file.madeAlone = alone && !ours;
                file.tiles.startEmpty();
                file.attrStale = false;
                file.attrWhole = true;
                file.settleCalm();
            }
            file.references = 1;
            if (files.putIfAbsent(attr.ino(), file) != null) {
                throw new IllegalStateException("new inode " + attr.ino() + " is open already");
            }
        } finally {
            FileAccess.exitIfHeld(file.tokens, dataTicket);
            FileAccess.exitIfHeld(file.attrTokens, attrTicket);
        }
        return file;
    }

    /** Somebody may have been there between the file's making and the tokens. An owner on another host says whether. */
    private boolean isEmptyStill(FileState file) {
        if (!service.mayWait()) {
            return true;
        }
        InodeAttr known = service.known(file.ino);
        return known != null && known.size() == 0 && known.blocks() == 0;
    }

    /** One more reference to a file that may be leaving; false if it has left. */
    boolean retain(FileState file) {
        boolean[] retained = new boolean[1];
        files.computeIfPresent(file.ino, (ino, present) -> {
            if (present == file) {
                present.references++;
                retained[0] = true;
            }
            return present;
        });
        return retained[0];
    }

    /** Gives one reference back; a clean file without references leaves, a dirty one waits for the committer. */
    void release(FileState file) {
        files.computeIfPresent(file.ino, (ino, present) -> {
            present.references--;
            if (present.references == 0 && !present.isDirty()) {
                int errno = present.untoldFailure();
                if (errno != 0) {
                    untold.remember(ino, errno); // first: who asks whether there is any must always see one
                }
                leave(present);
                return null;
            }
            return present;
        });
        if (file.isDirty()) {
            queue(file);
        }
    }

    /** Drops a file that nobody has open, with what it had not committed: it is being deleted. False if it is in use. */
    boolean discard(long ino) {
        return files.computeIfPresent(ino, (key, present) -> {
                    if (present.references > 0) {
                        return present;
                    }
                    leave(present);
                    return null;
                })
                == null;
    }

    private void leave(FileState file) {
        long stamp = file.lock.writeLock();
        try {
            file.tiles.clear();
        } finally {
            file.lock.unlockWrite(stamp);
        }
        if (file.untoldFailure() != 0) {
            filesUntold.decrementAndGet();
        }
        file.tokens.close();
        file.attrTokens.close();
        dirty.remove(file);
        countRemoval();
    }

    /** Whether something of any file was lost of which nobody was told. */
    boolean hasUntold() {
        return filesUntold.get() > 0 || !untold.isEmpty();
    }

    /** Of a file that nobody has open for writing: the errno of a failure that nobody was told of, which it is now; else 0. */
    int tellOfClosed(long ino) {
        int[] errno = {0};
        files.compute(ino, (key, present) -> {
            errno[0] = present == null ? untold.take(ino) : present.tellIfClosed();
            return present;
        });
        return errno[0];
    }

    private synchronized void countRemoval() {
        removals = removals + 1;
    }

    void queue(FileState file) {
        if (!file.queued) {
            file.queued = true;
            dirty.add(file);
        }
    }

    Collection<FileState> queuedFiles() {
        return dirty;
    }

    /** Takes the file out of the queue; whoever makes it dirty from now on queues it again. */
    void unqueue(FileState file) {
        dirty.remove(file);
        file.queued = false;
    }

    Collection<FileState> all() {
        return files.values();
    }
}
