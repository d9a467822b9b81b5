package io.tesserafs.node.data;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.node.namespace.ExtentRef;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Handles to the blocks that open files use, one per block, shared and counted: many small files live in one block. Thread-safe. */
final class BlockMap {
    /** A mapped block. {@code memory} is its bytes if this process has them mapped; a block of another host has none. */
    static final class Mapped {
        final BrickClient brick;
        final BlockHandle handle;
        final @Nullable MemorySegment memory;
        /** Of the brick, when this was mapped: the same block under another number may have lost what was not flushed. */
        final int losses;

        private int users = 1;

        Mapped(BrickClient brick, BlockHandle handle) {
            this.brick = brick;
            this.handle = handle;
            this.memory = handle.memory();
            this.losses = brick.losses();
        }
    }

    private static final Logger LOG = LoggerFactory.getLogger(BlockMap.class);
    private static final BlockId FIRST_BLOCK = BlockId.of(1, 0);

    private final BrickSet bricks;
    private final ConcurrentHashMap<BlockId, Mapped> blocks = new ConcurrentHashMap<>();

    BlockMap(BrickSet bricks) {
        this.bricks = bricks;
    }

    BrickSet bricks() {
        return bricks;
    }

    /** Counted; given back by {@link #release}. A handle that died is replaced: its users meet the dead one and ask again. */
    Mapped acquire(ExtentRef ref) throws BrickException {
        while (true) {
            Mapped present = blocks.computeIfPresent(ref.block(), (id, mapped) -> {
                if (!mapped.handle.alive()) {
                    return null;
                }
                mapped.users++;
                return mapped;
            });
            if (present != null) {
                return present;
            }
            // Outside the map's lock: the brick may be far away, or gone.
            BrickClient brick = bricks.client(ref.brick());
            Mapped fresh = new Mapped(brick, map(brick, ref));
            if (blocks.putIfAbsent(ref.block(), fresh) == null) {
                return fresh;
            }
            brick.unmap(fresh.handle);
        }
    }

    /** Whether the brick is there and known to have lost memory since. May wait for it, though not for long. */
    boolean hasLost(Mapped mapped) {
        BrickId brick = mapped.brick.brick();
        for (int attempt = 0; attempt < 2; attempt++) {
            try {
                BrickClient client = bricks.client(brick);
                try {
                    client.list(FIRST_BLOCK, 1); // a client does not know by itself whether its brick is still there
                    return client.losses() != mapped.losses;
                } catch (BrickException e) {
                    bricks.failed(client); // perhaps of a process that is dead
                    LOG.debug("brick {}: {}", brick, e.getMessage());
                }
            } catch (BrickException e) {
                LOG.debug("brick {} is away: {}", brick, e.getMessage());
                return false;
            }
        }
        return false;
    }

    private BlockHandle map(BrickClient brick, ExtentRef ref) throws BrickException {
        try {
            return brick.map(ref.block(), Access.READ_WRITE);
        } catch (BrickException e) {
            if (e.reason() == BrickException.Reason.UNREACHABLE) {
                bricks.failed(brick);
            }
            throw e;
        }
    }

    /** One more user of what somebody uses; false if its handle has died meanwhile. Waits for nothing. */
    boolean retain(ExtentRef ref, Mapped mapped) {
        Mapped present = blocks.computeIfPresent(ref.block(), (id, known) -> {
            known.users += known == mapped ? 1 : 0;
            return known;
        });
        return present == mapped;
    }

    void release(ExtentRef ref, Mapped mapped) {
        boolean[] last = new boolean[1];
        blocks.computeIfPresent(ref.block(), (id, present) -> {
            if (present != mapped) {
                return present; // it died and was replaced; nobody counts its users any more
            }
            last[0] = --present.users == 0;
            return last[0] ? null : present;
        });
        if (last[0]) {
            mapped.brick.unmap(mapped.handle);
        }
    }
}
