package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.OperationGate;
import io.tesserafs.fabric.brick.SessionId;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** A handle to a block of a peer's brick. Whether it is alive is decided there; here it is known as soon as word has come. */
final class RemoteHandle implements BlockHandle {
    private final RemotePeer peer;
    private final RemoteBrick client;
    private final HandleKey key;
    private final BlockId block;
    private final Access access;
    private final OperationGate gate = new OperationGate();
    private final AtomicReference<@Nullable Reason> cause = new AtomicReference<>();

    RemoteHandle(RemotePeer peer, RemoteBrick client, HandleKey key, BlockId block, Access access) {
        this.peer = peer;
        this.client = client;
        this.key = key;
        this.block = block;
        this.access = access;
    }

    HandleKey key() {
        return key;
    }

    boolean isOf(RemoteBrick some) {
        return client.equals(some);
    }

    @Override
    public BlockId block() {
        return block;
    }

    @Override
    public BrickId brick() {
        return client.brick();
    }

    @Override
    public Access access() {
        return access;
    }

    @Override
    public boolean alive() {
        return gate.alive();
    }

    @Override
    public @Nullable MemorySegment memory() {
        return null;
    }

    @Override
    public void read(long offset, MemorySegment target, long targetOffset, long length) throws BrickException {
        SessionId session = client.session();
        run(offset, length, lane -> lane.read(key, session, offset, target.asSlice(targetOffset, length)));
    }

    @Override
    public void write(long offset, MemorySegment source, long sourceOffset, long length) throws BrickException {
        if (access != Access.READ_WRITE && alive()) {
            throw new BrickException(Reason.ACCESS, "write through a handle for reading, " + this);
        }
        SessionId session = client.session();
        run(offset, length, lane -> lane.write(key, session, offset, source.asSlice(sourceOffset, length)));
    }

    @Override
    public void flush(long offset, long length) throws BrickException {
        SessionId session = client.session();
        run(offset, length, lane -> lane.flush(key, session, offset, length));
    }

    private void run(long offset, long length, LanePool.Operation operation) throws BrickException {
        if (!gate.enter()) {
            throw dead();
        }
        int status;
        try {
            if (offset < 0 || length < 0 || offset > BlockId.BLOCK_BYTES - length) {
                throw new BrickException(Reason.OUT_OF_BOUNDS, this + ": offset " + offset + ", length " + length);
            }
            status = peer.run(operation);
        } finally {
            gate.exit();
        }
        if (status != 0) {
            throw failure(status);
        }
    }

    private BrickException dead() {
        Reason reason = cause.get() == Reason.UNREACHABLE ? Reason.UNREACHABLE : Reason.DEAD_HANDLE;
        return new BrickException(reason, this + " is dead");
    }

    private BrickException failure(int status) {
        try {
            Reason reason = BrickCodec.reason(status);
            if (reason == Reason.DEAD_HANDLE) {
                peer.forget(this);
                kill(reason);
            }
            return new BrickException(reason, this + ": refused by the brick, " + reason);
        } catch (ProtocolException e) {
            return peer.unreachable(e);
        }
    }

    /** New operations fail from now on. Does not wait. Returns false if it was dead before. */
    boolean kill(Reason reason) {
        cause.compareAndSet(null, reason);
        return gate.kill();
    }

    void awaitIdle() {
        gate.awaitIdle();
    }

    @Override
    public String toString() {
        return "handle to block " + block + " on brick " + brick() + " by " + peer;
    }
}
