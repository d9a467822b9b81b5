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
import io.tesserafs.fabric.shm.SharedBlock;
import java.io.IOException;
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
    /** The block's memory, if it is mapped here. */
    private final @Nullable SharedBlock shared;

    private final @Nullable RemoteKey remoteKey;
    private final OperationGate gate = new OperationGate();
    private final AtomicReference<@Nullable Reason> cause = new AtomicReference<>();

    RemoteHandle(
            RemotePeer peer,
            RemoteBrick client,
            HandleKey key,
            BlockId block,
            Access access,
            @Nullable SharedBlock shared,
            @Nullable RemoteKey remoteKey) {
        this.peer = peer;
        this.client = client;
        this.key = key;
        this.block = block;
        this.access = access;
        this.shared = shared;
        this.remoteKey = remoteKey;
    }

    HandleKey key() {
        return key;
    }

    /** For this host's device, as it came with the handle. */
    @Nullable
    RemoteKey remoteKey() {
        return remoteKey;
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
        return shared == null ? null : shared.memory();
    }

    boolean isShared() {
        return shared != null;
    }

    @Override
    public void read(long offset, MemorySegment target, long targetOffset, long length) throws BrickException {
        SessionId session = client.session();
        SharedBlock here = shared;
        if (here != null) {
            runHere(offset, length, () -> MemorySegment.copy(here.memory(), offset, target, targetOffset, length));
            return;
        }
        run(offset, length, lane -> lane.read(key, session, offset, target.asSlice(targetOffset, length)));
    }

    @Override
    public void write(long offset, MemorySegment source, long sourceOffset, long length) throws BrickException {
        if (access != Access.READ_WRITE && alive()) {
            throw new BrickException(Reason.ACCESS, "write through a handle for reading, " + this);
        }
        SessionId session = client.session();
        SharedBlock here = shared;
        if (here != null) {
            runHere(offset, length, () -> MemorySegment.copy(source, sourceOffset, here.memory(), offset, length));
            return;
        }
        try {
            run(offset, length, lane -> lane.write(key, session, offset, source.asSlice(sourceOffset, length)));
        } catch (BrickException e) {
            if (e.reason() == Reason.UNREACHABLE) {
                client.abandon(this);
            }
            throw e;
        }
    }

    @Override
    public void flush(long offset, long length) throws BrickException {
        SessionId session = client.session();
        SharedBlock here = shared;
        if (here != null) {
            runHere(offset, length, () -> here.flush(offset, length));
            return;
        }
        run(offset, length, lane -> lane.flush(key, session, offset, length));
    }

    /** Counts as busy until {@link #exit}; false if it is dead. */
    boolean enter() {
        return gate.enter();
    }

    void exit() {
        gate.exit();
    }

    private void run(long offset, long length, LanePool.Operation operation) throws BrickException {
        if (!gate.enter()) {
            throw dead();
        }
        int status;
        try {
            checkBounds(offset, length);
            status = peer.run(operation);
        } finally {
            gate.exit();
        }
        if (status != 0) {
            throw failure(status);
        }
    }

    /** A step that needs nobody else. */
    private interface Step {
        void run() throws IOException;
    }

    private void runHere(long offset, long length, Step step) throws BrickException {
        if (!gate.enter()) {
            throw dead();
        }
        try {
            checkBounds(offset, length);
            step.run();
        } catch (BrickException e) {
            throw e;
        } catch (IOException e) {
            throw new BrickException(Reason.IO, this + ": " + e.getMessage(), e);
        } finally {
            gate.exit();
        }
    }

    private void checkBounds(long offset, long length) throws BrickException {
        if (offset < 0 || length < 0 || offset > BlockId.BLOCK_BYTES - length) {
            throw new BrickException(Reason.OUT_OF_BOUNDS, this + ": offset " + offset + ", length " + length);
        }
    }

    private BrickException dead() {
        Reason reason = cause.get() == Reason.UNREACHABLE ? Reason.UNREACHABLE : Reason.DEAD_HANDLE;
        return new BrickException(reason, this + " is dead");
    }

    private BrickException failure(int status) {
        try {
            Reason reason = BrickAnswers.reason(status);
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

    /** Of shared memory, once, by who killed the handle: when it returns, nobody in this process reaches the block by it any more. */
    void letGo() {
        gate.awaitIdle();
        SharedBlock here = shared;
        if (here != null) {
            here.letGo();
        }
    }

    @Override
    public String toString() {
        return "handle to block " + block + " on brick " + brick() + " by " + peer;
    }
}
