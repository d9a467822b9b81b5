package io.tesserafs.node.data;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.node.namespace.Extent;
import io.tesserafs.node.namespace.ExtentRef;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.VolumeService;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.agrona.collections.Long2ObjectHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The extents of one open file with their handles: this node's copy of the layout, plus what it has not committed yet. Where it is <em>stale</em>
 * (not fetched yet, or the token was away) it must not be used before it was fetched again, under the token. All calls under the
 * file's lock, changes under its exclusive side.
 */
final class TileMap {
    static final int TILE_BYTES = BlockId.BLOCK_BYTES;
    static final int TILE_SHIFT = 21;
    /** Beyond any tile. */
    static final long TILES_END = Long.MAX_VALUE >>> TILE_SHIFT;

    private final VolumeService service;
    private final BlockMap blocks;
    private final long ino;
    /** Most files are one tile; the map is for the others. */
    private @Nullable Tile first;

    private @Nullable Long2ObjectHashMap<Tile> more;
    private final TileRanges stale = new TileRanges();
    /** 512-byte units of all tiles. */
    private long units;
    /** Tiles whose bytes are not mapped in this process. */
    private int far;
    /** See {@link #takeLost}. */
    private boolean lost;

    TileMap(VolumeService service, BlockMap blocks, long ino) {
        this.service = service;
        this.blocks = blocks;
        this.ino = ino;
        stale.add(0, TILES_END);
    }

    /** Nothing is stale. */
    boolean loaded() {
        return stale.isEmpty();
    }

    boolean isFresh(long fromTile, long toTile) {
        return !stale.intersects(fromTile, toTile);
    }

    boolean hasFar() {
        return far > 0;
    }

    boolean hasFar(long fromTile, long toTile) {
        for (long index = fromTile; hasFar() && index < toTile; index++) {
            Tile tile = get(index);
            if (tile != null && tile.memory == null) {
                return true;
            }
        }
        return false;
    }

    /** For a file that was just created, whose tokens are held. */
    void startEmpty() {
        stale.clear();
    }

    /** Tiles [from, to) must be fetched before they are used. What was not committed of them is kept. */
    void markStale(long fromTile, long toTile) {
        stale.add(fromTile, toTile);
    }

    long units() {
        return units;
    }

    /**
     * What the owner says of a range; fetched without the lock, then applied under it.
     *
     * @param known how many of the extents the owner knows; the others are reservations of this node
     * @param gone reservations without anything that is only there: the owner's word counts again
     */
    record Fetched(
            long fromTile,
            long toTile,
            int known,
            List<Extent> extents,
            List<BlockMap.Mapped> blocks,
            List<Gone> gone) {}

    /**
     * A reservation that this node gives up.
     *
     * @param isReserved as far as the owner knows, so that it is told
     */
    private record Gone(Extent extent, boolean isReserved) {}

    /** Tiles whose handles died before the owner was told of them. Under the lock. */
    List<Tile> deadReservations(long fromTile, long toTile) {
        List<Tile> dead = new ArrayList<>();
        for (Tile tile : all()) {
            if (tile.index >= fromTile
                    && tile.index < toTile
                    && tile.state == Tile.State.RESERVED
                    && stale.contains(tile.index)
                    && !tile.alive()) {
                dead.add(tile);
            }
        }
        return dead;
    }

    /**
     * Asks the owner, and maps the blocks. Waits. To be applied or dropped.
     *
     * @param usedFrom the first tile that is going to be used at once; mapping begins with it
     * @param usedTo behind the last of them
     */
    Fetched fetch(long fromTile, long toTile, long usedFrom, long usedTo, List<Tile> reserved) throws FsException {
        List<Extent> extents = new ArrayList<>(service.layout(ino, fromTile, toTile));
        int known = extents.size();
        int before = (int) extents.stream().filter(e -> e.tile() < usedFrom).count();
        int used = (int) extents.stream().filter(e -> e.tile() < usedTo).count() - before;
        Collections.rotate(extents, -before); // they come in the order of tiles
        List<BlockMap.Mapped> mapped = new ArrayList<>(extents.size());
        List<Gone> gone = new ArrayList<>();
        Fetched fetched = new Fetched(fromTile, toTile, known, extents, mapped, gone);
        try {
            mapped.addAll(blocks.acquireAll(extents.stream().map(Extent::ref).toList(), used));
            if (!reserved.isEmpty()) {
                Set<ExtentRef> ofOwner = extents.stream().map(Extent::ref).collect(Collectors.toSet());
                for (Tile tile : reserved) {
                    acquireReserved(tile, ofOwner, fetched);
                }
            }
            return fetched;
        } catch (BrickException e) {
            drop(fetched);
            throw DeadTileException.of(fromTile, e);
        }
    }

    private void acquireReserved(Tile tile, Set<ExtentRef> ofOwner, Fetched to) throws BrickException {
        Extent extent = new Extent(tile.index, tile.ref, 0);
        boolean isReserved = !ofOwner.contains(tile.ref); // a commit can have been applied though it failed here
        if (tile.isCopy()) {
            to.gone.add(
                    new Gone(extent, isReserved)); // all of it is where the owner says; this brick may be away for long
            return;
        }
        try {
            BlockMap.Mapped mapped = blocks.acquire(tile.ref);
            if (mapped.losses == tile.mapped.losses) {
                to.blocks.add(mapped);
                to.extents.add(extent);
            } else {
                blocks.release(tile.ref, mapped); // what the owner has for the tile, if anything, is more than nothing
                to.gone.add(new Gone(extent, isReserved));
            }
        } catch (BrickException e) {
            if (e.reason() != BrickException.Reason.NOT_FOUND) {
                throw e;
            }
            to.gone.add(
                    new Gone(extent, false)); // a new owner gave it up, as this node had not committed it for too long
        }
    }

    void drop(Fetched fetched) {
        blocks.releaseAll(
                fetched.extents.stream()
                        .limit(fetched.blocks.size())
                        .map(Extent::ref)
                        .toList(),
                fetched.blocks);
    }

    /** Takes over what is still stale of it; the rest is dropped. */
    void apply(Fetched fetched) {
        for (Gone gone : fetched.gone) {
            Tile known = get(gone.extent.tile());
            if (known != null && isReservation(known, gone.extent)) {
                lost |= known.isUnsaved() && !known.alive();
                if (!gone.isReserved) {
                    known.state = Tile.State.COMMITTED; // nobody has it to take it back
                }
                remove(known);
            }
        }
        TileRanges named = new TileRanges();
        for (int i = 0; i < fetched.extents.size(); i++) {
            Extent extent = fetched.extents.get(i);
            BlockMap.Mapped block = fetched.blocks.get(i);
            named.add(extent.tile(), extent.tile() + 1);
            Tile known = get(extent.tile());
            boolean ofOwner = i < fetched.known;
            if (!stale.contains(extent.tile())
                    || !ofOwner && !isReservation(known, extent)
                    || ofOwner && isMoving(known, extent)) {
                blocks.release(extent.ref(), block);
            } else if (known != null && known.ref.equals(extent.ref()) && known.mapped == block) {
                known.state = ofOwner ? Tile.State.COMMITTED : known.state;
                known.validBytes = known.changed ? known.validBytes : extent.validBytes();
                blocks.release(extent.ref(), block);
            } else {
                // A commit can have been applied though it failed here: what the owner has is not this node's to give
                // back.
                Tile.State state = ofOwner ? Tile.State.COMMITTED : Tile.State.RESERVED;
                put(carryOver(known, new Tile(extent.tile(), extent.ref(), block, state, extent.validBytes())));
            }
        }
        for (Tile tile : all()) {
            boolean inside = tile.index >= fetched.fromTile && tile.index < fetched.toTile;
            boolean unsaved = tile.state == Tile.State.COMMITTING
                    || tile.changed && (tile.alive() || tile.state != Tile.State.COMMITTED);
            if (inside && stale.contains(tile.index) && !named.contains(tile.index) && !unsaved) {
                drop(tile); // a hole by now
            }
        }
        stale.remove(fetched.fromTile, fetched.toTile);
    }

    private void drop(Tile tile) {
        lost |= tile.isUnsaved() && !tile.alive();
        remove(tile);
    }

    /** Whether the tile was given another place here, of which the owner has not heard. */
    private static boolean isMoving(@Nullable Tile tile, Extent extent) {
        return tile != null && tile.changed && tile.state != Tile.State.COMMITTED && !tile.ref.equals(extent.ref());
    }

    private static boolean isReservation(@Nullable Tile tile, Extent extent) {
        return tile != null && tile.state == Tile.State.RESERVED && tile.ref.equals(extent.ref());
    }

    /** Whether bytes that were written here, and not flushed, are known to be lost with the memory of their brick's host. Says so once. */
    boolean takeLost() {
        boolean was = lost;
        lost = false;
        return was;
    }

    /**
     * The same place through a new handle: what was not flushed or committed of it still is not. Unless the brick has lost its memory: then the owner's word is
     * all there is.
     */
    private Tile carryOver(@Nullable Tile known, Tile fresh) {
        if (known == null || !known.ref.equals(fresh.ref)) {
            return fresh;
        }
        if (known.mapped.losses != fresh.mapped.losses) {
            lost |= known.isUnsaved();
        } else {
            fresh.takeOver(known);
            fresh.committedLoosely = known.committedLoosely;
        }
        return fresh;
    }

    @Nullable
    Tile get(long index) {
        if (index == 0) {
            return first;
        }
        Long2ObjectHashMap<Tile> map = more;
        return map == null ? null : map.get(index);
    }

    /**
     * A new tile with room for {@code bytes}, not yet in the map.
     *
     * @throws DeadTileException its brick cannot be reached at the moment; the next try may be given another
     */
    Tile allocate(long index, int bytes) throws FsException {
        return reserved(index, service.allocate(bytes, blocks.bricks().home().brick()), service::release);
    }

    private Tile reserved(long index, ExtentRef ref, Consumer<ExtentRef> unused) throws FsException {
        try {
            return new Tile(index, ref, blocks.acquire(ref), Tile.State.RESERVED, 0);
        } catch (BrickException e) {
            unused.accept(ref);
            throw DeadTileException.of(index, e);
        }
    }

    /**
     * A place for the tile on that brick and no other. As {@link #allocate}, but not under the lock.
     *
     * @param unused takes the space if its brick cannot be reached
     */
    Tile allocateOn(BrickId brick, Tile tile, Consumer<ExtentRef> unused) throws FsException {
        return reserved(tile.index, service.allocateOn(brick, tile.capacity()), unused);
    }

    /** What was allocated, unused. */
    void giveBack(Tile tile) {
        forget(tile, null);
    }

    /** Of what was allocated, unused, and whose space somebody else takes care of. Not under the lock. */
    void unmap(Tile tile) {
        blocks.release(tile.ref, tile.mapped);
    }

    void put(Tile tile) {
        Tile old;
        if (tile.index == 0) {
            old = first;
            first = tile;
        } else {
            if (more == null) {
                more = new Long2ObjectHashMap<>();
            }
            old = more.put(tile.index, tile);
        }
        count(tile, 1);
        if (old != null) {
            count(old, -1);
            forget(old, tile);
        }
    }

    void remove(Tile tile) {
        takeOut(tile);
        forget(tile, null);
    }

    /** With one call to each brick. */
    void removeAll(List<Tile> some) {
        if (some.size() == 1) {
            remove(some.getFirst());
            return;
        }
        some.forEach(this::takeOut);
        blocks.releaseAll(
                some.stream().map(t -> t.ref).toList(),
                some.stream().map(t -> t.mapped).toList());
        some.forEach(tile -> releaseSpace(tile, null));
    }

    private void takeOut(Tile tile) {
        if (tile.index == 0) {
            first = null;
        } else if (more != null) {
            more.remove(tile.index);
        }
        count(tile, -1);
    }

    private void count(Tile tile, int sign) {
        units += sign * (tile.capacity() / 512L);
        far += tile.memory == null ? sign : 0;
    }

    /** Gives the handle back, and the space if the owner does not have it in the extent map. */
    private void forget(Tile tile, @Nullable Tile successor) {
        blocks.release(tile.ref, tile.mapped);
        releaseSpace(tile, successor);
    }

    private void releaseSpace(Tile tile, @Nullable Tile successor) {
        if (tile.state == Tile.State.RESERVED && (successor == null || !successor.ref.equals(tile.ref))) {
            service.release(tile.ref);
        }
    }

    boolean isCurrent(Tile tile) {
        return get(tile.index) == tile;
    }

    List<Tile> all() {
        List<Tile> tiles = new ArrayList<>(more == null ? 1 : more.size() + 1);
        if (first != null) {
            tiles.add(first);
        }
        if (more != null) {
            tiles.addAll(more.values());
            tiles.sort((a, b) -> Long.compare(a.index, b.index));
        }
        return tiles;
    }

    /** Lets go of what was not saved in time; of the rest nothing is lost. Reserved space goes back. */
    void abandon(long fromTile, long toTile) {
        for (Tile tile : all()) {
            if (tile.index >= fromTile && tile.index < toTile && (tile.changed || tile.isDirty())) {
                remove(tile);
            }
        }
    }

    /** Lets go of everything, after the session ended that reserved what is not committed. */
    void abandon() {
        for (Tile tile : all()) {
            tile.state =
                    Tile.State.COMMITTED; // not given back: the owner keeps what was reserved for a session that ended
            // until its
            // term ends
        }
        clear();
    }

    /** Lets go of everything; reserved space goes back. */
    void clear() {
        removeAll(all());
        stale.add(0, TILES_END);
    }
}
