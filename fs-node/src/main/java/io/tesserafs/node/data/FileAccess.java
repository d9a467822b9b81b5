package io.tesserafs.node.data;

import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.FileTokens.LockedPages;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.coherence.token.TokenException;
import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.VolumeService;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What stands between a request and a file: its tokens, and fetching again what may have changed while they were away.
 *
 * <p>Order of tokens, so that no two requests wait for each other: names of directories (by inode number), then attributes, then data; of
 * two files, by inode number. Whoever waits for one holds only what comes before.
 */
final class FileAccess {
    private static final Logger LOG = LoggerFactory.getLogger(FileAccess.class);

    private static final long LANE_BYTES = 4096;
    private static final long DOUBT_MS = 100;
    /** After a brick was found to be away. */
    private static final long FETCH_ONLY_WANTED_NS = TimeUnit.SECONDS.toNanos(5);
    /** For which the owner is asked once, and their bricks once. */
    private static final long FETCH_AHEAD_TILES = 32;

    /** Of the three readers that a mount has at least, one must be free for recalls, and one may be copying. */
    private static final int FAR_HERE_MAX = 1;

    private final Semaphore farHere = new Semaphore(FAR_HERE_MAX);
    private final VolumeService service;
    private final BrickSet bricks;
    private final long laneFrom;
    private final KernelSizes kernel;

    /** Tells the kernel that a file has grown. */
    interface KernelSizes {
        /** @param ifStill asked right before */
        void extend(long ino, long size, BooleanSupplier ifStill);
    }

    /** @param kernel is told of files that have grown: inode and size; must not wait for long */
    FileAccess(VolumeService service, BrickSet bricks, int lane, KernelSizes kernel) {
        this.kernel = kernel;
        this.service = service;
        this.bricks = bricks;
        this.laneFrom = lane * LANE_BYTES;
    }

    /** Whether calls to the owner or bricks may have to wait for another host; then they have no place on a request's reader thread. */
    boolean mayWait() {
        return service.mayWait() || bricks.hasOthers();
    }

    /** What it takes to get at the bytes of a range whose token is entered. */
    enum Reach {
        /** Nothing: they are in memory that is mapped here, or known to be zero. */
        NEAR,
        /** A round trip to their brick. */
        FAR,
        /** Asking the owner, or waiting for somebody who does. */
        UNKNOWN
    }

    static Reach reach(FileState file, long from, long to) {
        if (hasToLearnSize(file)) {
            return Reach.UNKNOWN;
        }
        if (file.calm) {
            return Reach.NEAR;
        }
        long stamp = file.lock.tryReadLock();
        if (stamp == 0) {
            return Reach.UNKNOWN;
        }
        try {
            long firstTile = from >>> TileMap.TILE_SHIFT;
            long endTile = (to - 1 >>> TileMap.TILE_SHIFT) + 1;
            if (!file.tiles.isFresh(firstTile, endTile)) {
                return Reach.UNKNOWN;
            }
            return file.tiles.hasFar(firstTile, endTile) ? Reach.FAR : Reach.NEAR;
        } finally {
            file.lock.unlockRead(stamp);
        }
    }

    /** Whether a request's reader thread may wait for a brick or the owner now; if so, {@link #exitFar} follows. */
    boolean tryEnterFar() {
        return farHere.tryAcquire();
    }

    void exitFar() {
        farHere.release();
    }

    /** Part of a request, under its tokens. */
    interface Work<T> {
        T run() throws FsException;
    }

    /** Whether this node's lane is in that range of attributes. */
    boolean isLane(long fromByte, long toByte) {
        return fromByte <= laneFrom && laneFrom < toByte;
    }

    int tryLane(FileState file) {
        return file.attrTokens.tryEnter(laneFrom, laneFrom + LANE_BYTES, Mode.EXCLUSIVE);
    }

    int laneNow(FileState file) {
        return file.attrTokens.enterNow(laneFrom, laneFrom + LANE_BYTES, Mode.EXCLUSIVE);
    }

    /** To change sizes and times. */
    int lane(FileState file) throws FsException {
        return enter(file.attrTokens, laneFrom, laneFrom + LANE_BYTES, Mode.EXCLUSIVE);
    }

    static int enter(FileTokens tokens, long from, long to, Mode mode) throws FsException {
        try {
            return tokens.enter(from, to, mode);
        } catch (TokenException e) {
            throw new FsException(Failures.errno(e), "no token");
        }
    }

    private static int enterData(FileState file, long from, long to, Mode mode, LockedPages locked) throws FsException {
        try {
            return file.tokens.enterWithPagesLocked(from, to, mode, locked);
        } catch (TokenException e) {
            throw new FsException(Failures.errno(e), "no token");
        }
    }

    /**
     * Size and times are known, now that the ATTR token is entered. May ask the owner.
     *
     * @param whole the token is entered as a whole, not only this node's lane
     */
    void prepareAttr(FileState file, boolean whole) throws FsException {
        if (!file.attrStale && (file.attrWhole || !whole)) {
            return;
        }
        boolean done = false;
        while (!done) {
            int sessions = file.sessionsLost;
            int adopted = file.attrAdopted;
            InodeAttr attr = service.getattr(file.ino);
            // What the last session was told may have changed since; and under the lane alone others may have told of
            // growth meanwhile.
            done = file.sessionsLost == sessions && prepareAttr(file, whole, attr, adopted);
        }
    }

    /** The same with attributes that were got under the token. */
    void prepareAttr(FileState file, boolean whole, InodeAttr attr) {
        if (file.attrStale || whole && !file.attrWhole) {
            var _ = prepareAttr(file, whole, attr, file.attrAdopted);
        }
    }

    /** False, and nothing done, if a size was learned since {@code adopted} that may be newer. */
    private static boolean prepareAttr(FileState file, boolean whole, InodeAttr attr, int adopted) {
        long stamp = file.lock.writeLock();
        try {
            if (file.attrStale && !whole && file.attrAdopted != adopted) {
                return false;
            }
            if (file.attrStale) {
                file.adopt(attr);
                file.attrStale = false;
            } else if (whole && !file.attrWhole) {
                file.merge(attr);
            }
            if (whole) {
                file.attrWhole = true;
            }
            return true;
        } finally {
            file.lock.unlockWrite(stamp);
        }
    }

    /** The layout of a range is known, now that its DATA token is entered. May ask the owner, and map blocks on other hosts. */
    void prepare(FileState file, long from, long to) throws FsException {
        learnSize(file);
        if (file.calm) {
            return;
        }
        long firstTile = from >>> TileMap.TILE_SHIFT;
        long endTile = Math.min((to - 1 >>> TileMap.TILE_SHIFT) + 1, TileMap.TILES_END);
        while (!isFresh(file, firstTile, endTile)) {
            try {
                fetchMore(file, firstTile, endTile);
            } catch (DeadTileException e) {
                // Perhaps of a brick that has nothing of what is wanted here, and may be away for long.
                LOG.debug("inode {}: {}", file.ino, e.getMessage());
                file.fetchOnlyWanted(System.nanoTime() + FETCH_ONLY_WANTED_NS);
                fetch(file, firstTile, endTile, firstTile, endTile);
            }
        }
        tellSize(file, from, to);
    }

    /**
     * Who reads a page under its token may learn from it that the file has grown, and then touch the new pages through a mapping: the kernel must know of
     * them by then, or it sends SIGBUS without asking anybody. Not if the page at the new end is being read itself: then it knows. May wait a moment.
     */
    void tellSize(FileState file, long from, long to) {
        if (hasToTellSize(file, from, to)) {
            long size = file.size;
            file.toldSize = size;
            kernel.extend(file.ino, size, () -> true);
            file.kernelBelieves(size);
        }
    }

    /**
     * Before the kernel is told so by an answer, which it may not believe: then an application that has seen the new size would get SIGBUS beyond the old one, or
     * no bytes. Only where nothing of the last page can be cached, since telling overwrites its last byte; a page that this node has read since it grew says as much.
     * The ATTR token is entered. May wait a moment.
     */
    void tellNewSize(FileState file, long size) {
        if (size > file.believedSize) {
            long lastPage = size - 1 & -LANE_BYTES;
            kernel.extend(file.ino, size, () -> !file.tokens.mayBeCached(lastPage, lastPage + LANE_BYTES));
            file.kernelBelieves(size);
        }
    }

    /** Whether {@link #tellSize} has anything to do. */
    static boolean hasToTellSize(FileState file, long from, long to) {
        long size = file.size;
        long lastPage = size - 1 & -LANE_BYTES;
        return lastPage > (file.toldSize - 1 & -LANE_BYTES) && size > 0 && (lastPage < from || lastPage >= to);
    }

    /** The whole layout, or the range and what follows, as far as this node has the token. */
    private void fetchMore(FileState file, long firstTile, long endTile) throws FsException {
        if (file.fetchesOnlyWanted(System.nanoTime())) {
            fetch(file, firstTile, endTile, firstTile, endTile);
            return;
        }
        int all = file.tokens.tryEnter(0, FileTokens.TO_END, Mode.SHARED);
        try {
            if (all == FileTokens.REFUSED) {
                fetchAhead(file, firstTile, endTile);
            } else {
                fetch(file, 0, TileMap.TILES_END, firstTile, endTile);
            }
        } finally {
            exitIfHeld(file.tokens, all);
        }
    }

    /** The range, and as much of what follows as this node has the token for: who reads on need not ask for each tile. */
    private void fetchAhead(FileState file, long firstTile, long endTile) throws FsException {
        for (long tiles = FETCH_AHEAD_TILES; tiles > 0; tiles /= 2) {
            long end = Math.min(endTile + tiles, TileMap.TILES_END);
            int ahead = file.tokens.tryEnter(firstTile << TileMap.TILE_SHIFT, end << TileMap.TILE_SHIFT, Mode.SHARED);
            if (ahead != FileTokens.REFUSED) {
                try {
                    fetch(file, firstTile, end, firstTile, endTile);
                } finally {
                    file.tokens.exit(ahead);
                }
                return;
            }
        }
        fetch(file, firstTile, endTile, firstTile, endTile);
    }

    /**
     * Not while a commit is under way, or a truncation: what it tells the owner it has taken from the file already, and whether the owner says what was before
     * or what is after it is not known.
     *
     * @param usedFrom the first tile that is going to be used at once, as far as {@code usedTo}
     */
    private void fetch(FileState file, long firstTile, long endTile, long usedFrom, long usedTo) throws FsException {
        file.commitLock.lock();
        try {
            boolean done;
            do {
                done = fetchLocked(file, firstTile, endTile, usedFrom, usedTo);
            } while (!done);
        } finally {
            file.commitLock.unlock();
        }
    }

    /** False if what the owner said of the size may have been older than what somebody learned meanwhile. */
    private boolean fetchLocked(FileState file, long firstTile, long endTile, long usedFrom, long usedTo)
            throws FsException {
        int sessions = file.sessionsLost;
        int adopted = file.attrAdopted;
        InodeAttr attr = service.getattr(file.ino);
        List<Tile> dead = deadReservations(file, firstTile, endTile);
        TileMap.Fetched fetched = file.tiles.fetch(firstTile, endTile, usedFrom, usedTo, dead);
        long stamp = file.lock.writeLock();
        try {
            if (file.sessionsLost != sessions) {
                file.tiles.drop(fetched); // others may have changed since what the last session was told
                return true;
            }
            if (file.attrAdopted != adopted) {
                file.tiles.drop(
                        fetched); // the file may have been cut elsewhere in between: the older size would bring the end
                // back
                return false;
            }
            file.tiles.apply(fetched);
            file.dropPunched();
            file.sayWhatIsLost();
            file.learn(attr.size());
            file.settleCalm();
            return true;
        } finally {
            file.lock.unlockWrite(stamp);
        }
    }

    /**
     * What this node believes of a file that it made while it was alone, and has no token of, is to be asked for anew. No other node has changed it yet.
     *
     * <p>Who waits for the owner with the file's lock has the tokens, and is not waited for: perhaps the owner is away, and this has to be done before it is
     * found again.
     */
    void doubtWithoutTokens(FileState file) throws InterruptedException {
        if (!file.madeAlone) {
            return;
        }
        file.madeAlone = false;
        long stamp = 0;
        while (stamp == 0) {
            if (isHeld(file.attrTokens) && isHeld(file.tokens)) {
                return;
            }
            stamp = file.lock.tryWriteLock(DOUBT_MS, TimeUnit.MILLISECONDS);
        }
        try {
            file.attrWhole = isHeld(file.attrTokens);
            if (!isLaneHeld(file)) {
                file.attrStale = true;
                file.attrStale = !isLaneHeld(file); // who got it just now may have begun to write before
            }
            if (!isHeld(file.tokens)) {
                file.tiles.markStale(0, TileMap.TILES_END);
                file.settleCalm();
            }
        } finally {
            file.lock.unlockWrite(stamp);
        }
    }

    private static boolean isHeld(FileTokens tokens) {
        return tokens.isHeld(0, FileTokens.TO_END, Mode.SHARED);
    }

    private boolean isLaneHeld(FileState file) {
        return file.attrTokens.isHeld(laneFrom, laneFrom + LANE_BYTES, Mode.SHARED);
    }

    /** Whether the kernel may know a larger size than this node: see {@link FileState#shownSize}. */
    static boolean hasToLearnSize(FileState file) {
        return file.shownSize > file.size;
    }

    /** Asks the owner if {@link #hasToLearnSize}. */
    void learnSize(FileState file) throws FsException {
        if (hasToLearnSize(file)) {
            askSize(file);
        }
    }

    /** How long the file is at least by the owner's word, or just that long if this node has not its lane. */
    void askSize(FileState file) throws FsException {
        file.commitLock.lock();
        try {
            boolean done = false;
            while (!done) {
                int adopted = file.attrAdopted;
                long shown = file.shownSize;
                InodeAttr attr = service.getattr(file.ino);
                long stamp = file.lock.writeLock();
                try {
                    done = file.attrAdopted == adopted && file.shownSize == shown;
                    if (done) {
                        file.learn(attr.size());
                        file.shownSize = 0;
                    }
                } finally {
                    file.lock.unlockWrite(stamp);
                }
            }
        } finally {
            file.commitLock.unlock();
        }
    }

    private static List<Tile> deadReservations(FileState file, long firstTile, long endTile) {
        long stamp = file.lock.readLock();
        try {
            return file.tiles.deadReservations(firstTile, endTile);
        } finally {
            file.lock.unlockRead(stamp);
        }
    }

    private static boolean isFresh(FileState file, long fromTile, long toTile) {
        long stamp = file.lock.readLock();
        try {
            return file.tiles.isFresh(fromTile, toTile);
        } finally {
            file.lock.unlockRead(stamp);
        }
    }

    /** A ticket for the whole file if it is this node's at this moment, else REFUSED. */
    static int tryAll(FileState file, Mode mode) {
        return file.tokens.tryEnter(0, FileTokens.TO_END, mode);
    }

    static void exitIfHeld(FileTokens tokens, int ticket) {
        if (ticket != FileTokens.REFUSED) {
            tokens.exit(ticket);
        }
    }

    /**
     * Runs work under the data token of a range, again if a brick's handle died under it. What changes the file not again in the next session: that has nothing of
     * what the caller knows and holds, such as the attributes' token, and another node may have changed the file. May wait.
     */
    <T> T withData(FileState file, long from, long to, Mode mode, LockedPages locked, Work<T> work) throws FsException {
        Patience patience = new Patience(Patience.RESTART_NS);
        int sessions = file.sessionsLost;
        while (true) {
            int ticket = enterData(file, from, to, mode, locked);
            try {
                if (mode == Mode.EXCLUSIVE && file.sessionsLost != sessions) {
                    throw new FsException(Errno.EIO, "the session ended");
                }
                prepare(file, from, to);
                return work.run();
            } catch (DeadTileException e) {
                forget(file, e.tile());
                patience.check(e);
            } finally {
                file.tokens.exit(ticket);
            }
            patience.pause();
        }
    }

    /** Waits for writes that a READ of these pages must not overtake. */
    void awaitWrites(FileState file, LockedPages pages) throws FsException {
        uninterrupted(() -> file.tokens.waitWithPagesLocked(
                pages, () -> file.pendingWrites.await(pages.fromByte(), pages.toByte())));
    }

    /** Has the kernel drop pages of which nobody may bring in new ones now. */
    void dropPages(FileState file, long from, long to) throws FsException {
        uninterrupted(() -> file.tokens.invalidate(from, to));
    }

    private static void uninterrupted(FileTokens.Wait wait) throws FsException {
        try {
            wait.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new FsException(Errno.EINTR, "interrupted");
        }
    }

    /** As {@link #withData}, for tiles as wholes: where space is given, taken, or made valid. */
    <T> T withTiles(FileState file, long from, long to, LockedPages locked, Work<T> work) throws FsException {
        long first = from & -TileMap.TILE_BYTES;
        long last = to > FileTokens.TO_END - TileMap.TILE_BYTES
                ? FileTokens.TO_END
                : (to + TileMap.TILE_BYTES - 1) & -TileMap.TILE_BYTES;
        return withData(file, first, last, Mode.EXCLUSIVE, locked, work);
    }

    /** Runs work under the right to change this file's size and times. May wait. */
    <T> T withLane(FileState file, Work<T> work) throws FsException {
        int ticket = lane(file);
        try {
            prepareAttr(file, false);
            return work.run();
        } finally {
            file.attrTokens.exit(ticket);
        }
    }

    /** Runs work under the attributes as a whole: to read them, or to set the size. May wait. */
    <T> T withAttributes(FileState file, Mode mode, Work<T> work) throws FsException {
        int ticket = enter(file.attrTokens, 0, FileTokens.TO_END, mode);
        try {
            prepareAttr(file, true);
            return work.run();
        } finally {
            file.attrTokens.exit(ticket);
        }
    }

    /** Maps a tile again whose handle died, so that what is in it can be saved. Waits for its brick, though not for long. */
    void revive(FileState file, long tile) throws FsException {
        forget(file, tile);
        withTiles(file, tile << TileMap.TILE_SHIFT, tile + 1 << TileMap.TILE_SHIFT, LockedPages.NONE, () -> tile);
    }

    /** The same while its token is being given back: nobody can enter it any more, but it is still this node's. */
    void reviveLeaving(FileState file, long tile, boolean patient) throws FsException {
        Patience patience = new Patience(Patience.RESTART_NS);
        while (true) {
            forget(file, tile);
            try {
                fetch(file, tile, tile + 1, tile, tile + 1);
                return;
            } catch (DeadTileException e) {
                if (!patient) {
                    throw e;
                }
                patience.check(e);
            }
            patience.pause();
        }
    }

    /** A tile's handle is dead: the next use maps its block again. */
    static void forget(FileState file, long tile) {
        long stamp = file.lock.writeLock();
        try {
            file.tiles.markStale(tile, tile + 1);
            file.settleCalm();
        } finally {
            file.lock.unlockWrite(stamp);
        }
    }
}
