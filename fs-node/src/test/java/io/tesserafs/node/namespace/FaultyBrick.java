package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.BrickInfo;
import io.tesserafs.fabric.brick.Mapping;
import io.tesserafs.fabric.brick.Provider;
import io.tesserafs.fabric.brick.SessionId;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A brick whose maps, writes and flushes can be made to fail or wait, whose answers to ALLOC can get lost, and whose connection can end. */
public final class FaultyBrick implements BrickClient {
    /** Runs before a block is mapped, written or flushed, or after it was allocated, in the thread that does so. */
    public interface Fault {
        void on(BlockId block) throws BrickException;
    }

    private final BrickClient brick;
    private volatile Fault beforeMap = block -> {};
    private volatile Fault beforeWrite = block -> {};
    private volatile Fault beforeFlush = block -> {};
    private volatile Fault afterAlloc = block -> {};
    private volatile boolean disconnected;

    FaultyBrick(BrickClient brick) {
        this.brick = brick;
    }

    public void beforeMap(Fault fault) {
        beforeMap = fault;
    }

    /** What was mapped is dead, and calls find that out. */
    public void disconnect() {
        disconnected = true;
        brick.close();
    }

    private void checkConnected() throws BrickException {
        if (disconnected) {
            throw new BrickException(BrickException.Reason.UNREACHABLE, "the connection has ended");
        }
    }

    public void beforeWrite(Fault fault) {
        beforeWrite = fault;
    }

    public void beforeFlush(Fault fault) {
        beforeFlush = fault;
    }

    public void afterAlloc(Fault fault) {
        afterAlloc = fault;
    }

    @Override
    public BrickId brick() {
        return brick.brick();
    }

    @Override
    public SessionId session() {
        return brick.session();
    }

    @Override
    public int losses() {
        return brick.losses();
    }

    @Override
    public Provider provider() {
        return brick.provider();
    }

    @Override
    public BrickInfo info() {
        return brick.info();
    }

    @Override
    public void alloc(BlockId... ids) throws BrickException {
        checkConnected();
        brick.alloc(ids);
        afterAlloc.on(ids[0]);
    }

    @Override
    public void free(BlockId... ids) throws BrickException {
        checkConnected();
        brick.free(ids);
    }

    @Override
    public List<Mapping> mapAll(Access access, int soon, List<BlockId> ids) throws BrickException {
        checkConnected();
        beforeMap.on(ids.getFirst());
        return brick.mapAll(access, soon, ids).stream().map(this::faulty).toList();
    }

    private Mapping faulty(Mapping mapping) {
        BlockHandle handle = mapping.handleOrNull();
        return handle == null ? mapping : Mapping.of(new Handle(handle));
    }

    @Override
    public boolean owns(BlockHandle handle) {
        return handle instanceof Handle mine && brick.owns(mine.block);
    }

    @Override
    public void unmapAll(List<BlockHandle> handles) {
        brick.unmapAll(handles.stream().map(handle -> ((Handle) handle).block).toList());
    }

    @Override
    public long[] list(BlockId from, int max) throws BrickException {
        checkConnected();
        return brick.list(from, max);
    }

    @Override
    public void fence(SessionId victim) throws BrickException {
        checkConnected();
        brick.fence(victim);
    }

    @Override
    public void close() {
        brick.close();
    }

    private final class Handle implements BlockHandle {
        final BlockHandle block;

        Handle(BlockHandle block) {
            this.block = block;
        }

        @Override
        public BlockId block() {
            return block.block();
        }

        @Override
        public BrickId brick() {
            return block.brick();
        }

        @Override
        public Access access() {
            return block.access();
        }

        @Override
        public boolean alive() {
            return block.alive();
        }

        @Override
        public @Nullable MemorySegment memory() {
            return block.memory();
        }

        @Override
        public void read(long offset, MemorySegment target, long targetOffset, long length) throws BrickException {
            block.read(offset, target, targetOffset, length);
        }

        @Override
        public void write(long offset, MemorySegment source, long sourceOffset, long length) throws BrickException {
            beforeWrite.on(block());
            block.write(offset, source, sourceOffset, length);
        }

        @Override
        public void flush(long offset, long length) throws BrickException {
            beforeFlush.on(block());
            block.flush(offset, length);
        }
    }
}
