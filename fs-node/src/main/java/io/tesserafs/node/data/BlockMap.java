package io.tesserafs.node.data;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.node.namespace.ExtentRef;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.ConcurrentHashMap;

/** Handles to the blocks that open files use, one per block, shared and counted: many small files live in one block. Thread-safe. */
final class BlockMap {
    /** A mapped block. {@code memory} is its bytes in this process. */
    static final class Mapped {
        final BlockHandle handle;
        final MemorySegment memory;
        private int users = 1;

        Mapped(BlockHandle handle, MemorySegment memory) {
            this.handle = handle;
            this.memory = memory;
        }
    }

    private final BrickClient brick;
    private final ConcurrentHashMap<BlockId, Mapped> blocks = new ConcurrentHashMap<>();

    BlockMap(BrickClient brick) {
        this.brick = brick;
    }

    BrickClient brick() {
        return brick;
    }

    Mapped acquire(ExtentRef ref) throws BrickException {
        if (!ref.brick().equals(brick.brick())) {
            throw new BrickException(
                    BrickException.Reason.UNREACHABLE, "no connection to brick " + ref.brick() + " from this node");
        }
        BrickException[] failure = new BrickException[1];
        Mapped mapped = blocks.compute(ref.block(), (id, present) -> {
            if (present != null) {
                present.users++;
                return present;
            }
            try {
                BlockHandle handle = brick.map(id, Access.READ_WRITE);
                MemorySegment memory = handle.memory();
                if (memory == null) {
                    throw new BrickException(
                            BrickException.Reason.UNREACHABLE, "block " + id + " is not in this host's memory");
                }
                return new Mapped(handle, memory);
            } catch (BrickException e) {
                failure[0] = e;
                return null;
            }
        });
        if (failure[0] != null || mapped == null) {
            throw failure[0] != null
                    ? failure[0]
                    : new BrickException(BrickException.Reason.IO, "block " + ref.block() + " was not mapped");
        }
        return mapped;
    }

    void release(ExtentRef ref) {
        blocks.computeIfPresent(ref.block(), (id, mapped) -> {
            if (--mapped.users > 0) {
                return mapped;
            }
            brick.unmap(mapped.handle);
            return null;
        });
    }
}
