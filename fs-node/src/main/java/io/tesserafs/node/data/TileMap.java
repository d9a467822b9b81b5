package io.tesserafs.node.data;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.node.namespace.Extent;
import io.tesserafs.node.namespace.ExtentRef;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.VolumeService;
import java.util.ArrayList;
import java.util.List;
import org.agrona.collections.Long2ObjectHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The extents of one open file with their handles: this node's copy of the layout, plus what it has not committed yet. Fetched from the
 * owner on first use. All calls under the file's lock, changes under its exclusive side.
 */
final class TileMap {
    static final int TILE_BYTES = BlockId.BLOCK_BYTES;
    static final int TILE_SHIFT = 21;

    private final VolumeService service;
    private final BlockMap blocks;
    private final long ino;
    /** Most files are one tile; the map is for the others. */
    private @Nullable Tile first;

    private @Nullable Long2ObjectHashMap<Tile> more;
    private boolean loaded;
    /** 512-byte units of all tiles. */
    private long units;

    TileMap(VolumeService service, BlockMap blocks, long ino) {
        this.service = service;
        this.blocks = blocks;
        this.ino = ino;
    }

    boolean loaded() {
        return loaded;
    }

    /** For a file that was just created. */
    void startEmpty() {
        loaded = true;
    }

    long units() {
        return units;
    }

    void load() throws FsException {
        if (loaded) {
            return;
        }
        for (Extent extent : service.layout(ino, 0, Long.MAX_VALUE >>> TILE_SHIFT)) {
            put(new Tile(extent.tile(), extent.ref(), map(extent.ref()), Tile.State.COMMITTED, extent.validBytes()));
        }
        loaded = true;
    }

    @Nullable
    Tile get(long index) {
        if (index == 0) {
            return first;
        }
        Long2ObjectHashMap<Tile> map = more;
        return map == null ? null : map.get(index);
    }

    /** A new tile with room for {@code bytes}, not yet in the map. */
    Tile allocate(long index, int bytes) throws FsException {
        ExtentRef ref = service.allocate(bytes, blocks.brick().brick());
        try {
            return new Tile(index, ref, blocks.acquire(ref), Tile.State.RESERVED, 0);
        } catch (BrickException e) {
            service.release(ref);
            throw Failures.asFs(e);
        }
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
        units += tile.capacity() / 512 - (old == null ? 0 : old.capacity() / 512);
        if (old != null) {
            forget(old);
        }
    }

    void remove(Tile tile) {
        if (tile.index == 0) {
            first = null;
        } else if (more != null) {
            more.remove(tile.index);
        }
        units -= tile.capacity() / 512;
        forget(tile);
    }

    /** Gives the handle back, and the space if the owner does not have it in the extent map. */
    private void forget(Tile tile) {
        blocks.release(tile.ref);
        if (tile.state == Tile.State.RESERVED) {
            service.release(tile.ref);
        }
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

    boolean isCurrent(Tile tile) {
        return get(tile.index) == tile;
    }

    /** Lets go of everything; reserved space goes back. */
    void clear() {
        for (Tile tile : all()) {
            remove(tile);
        }
        loaded = false;
    }

    private BlockMap.Mapped map(ExtentRef ref) throws FsException {
        try {
            return blocks.acquire(ref);
        } catch (BrickException e) {
            throw Failures.asFs(e);
        }
    }
}
