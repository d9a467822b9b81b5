package io.tesserafs.fabric.brick;

import io.tesserafs.fabric.brick.BrickException.Reason;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A range of a block, and the memory here that is filled from it or written to it, one part after the other; see
 * {@link BrickClient#readAll} and {@link BrickClient#writeAll}.
 *
 * @param offset of the range in the block, in bytes
 * @param parts together as long as the range; those without a byte count for nothing
 */
public record Transfer(BlockHandle handle, long offset, List<MemorySegment> parts) {
    public Transfer {
        parts = List.copyOf(parts);
    }

    /** Of all parts together; {@code Long.MAX_VALUE} if they are more. */
    public long bytes() {
        long sum = 0;
        for (MemorySegment part : parts) {
            sum += part.byteSize();
            if (sum < 0) {
                return Long.MAX_VALUE;
            }
        }
        return sum;
    }

    /** Whether it lies within a block. */
    public boolean isInBounds() {
        return offset >= 0 && offset <= BlockId.BLOCK_BYTES - bytes();
    }

    /** Fills the parts, each by an operation of its own. */
    public void read() throws BrickException {
        forEachPart(handle::read);
    }

    /** Writes the parts, each by an operation of its own. */
    public void write() throws BrickException {
        forEachPart(handle::write);
    }

    private interface Operation {
        void move(long offset, MemorySegment memory, long memoryOffset, long bytes) throws BrickException;
    }

    private void forEachPart(Operation operation) throws BrickException {
        long at = offset;
        for (MemorySegment part : parts) {
            long bytes = part.byteSize();
            if (bytes > 0) {
                operation.move(at, part, 0, bytes);
            }
            at += bytes;
        }
    }

    /**
     * To be called before the first byte of {@link BrickClient#readAll} moves.
     *
     * @throws IllegalArgumentException if a handle is not of the client, or a part cannot be written to
     * @throws BrickException OUT_OF_BOUNDS
     */
    public static void checkReads(BrickClient client, List<Transfer> transfers) throws BrickException {
        check(client, transfers);
        for (Transfer transfer : transfers) {
            if (transfer.parts.stream().anyMatch(MemorySegment::isReadOnly)) {
                throw new IllegalArgumentException("a read into memory that is read-only, " + transfer.handle);
            }
        }
    }

    /**
     * To be called before the first byte of {@link BrickClient#writeAll} moves.
     *
     * @throws IllegalArgumentException if a handle is not of the client
     * @throws BrickException OUT_OF_BOUNDS, ACCESS
     */
    public static void checkWrites(BrickClient client, List<Transfer> transfers) throws BrickException {
        check(client, transfers);
        for (Transfer transfer : transfers) {
            BlockHandle handle = transfer.handle;
            if (handle.access() != Access.READ_WRITE && handle.alive()) {
                throw new BrickException(Reason.ACCESS, "write through a handle for reading, " + handle);
            }
        }
    }

    private static void check(BrickClient client, List<Transfer> transfers) throws BrickException {
        for (Transfer transfer : transfers) {
            if (!client.owns(transfer.handle)) {
                throw new IllegalArgumentException("not mapped through this client: " + transfer.handle);
            }
        }
        for (Transfer transfer : transfers) {
            if (!transfer.isInBounds()) {
                throw new BrickException(
                        Reason.OUT_OF_BOUNDS,
                        transfer.handle + ": offset " + transfer.offset + ", length " + transfer.bytes());
            }
        }
    }
}
