package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.RdmaCmId;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.verbs.ControlCodec.Prepared;
import io.tesserafs.fabric.verbs.rdmacore.MemoryWindow;
import io.tesserafs.fabric.verbs.rdmacore.RdmaCore;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A memory window for each handle, bound to this queue pair, so that its key is worth nothing on any other though all share a protection
 * domain. A window is bound again for another handle: its key repeats after 256 times, but the addresses that were good with it do not,
 * unless the block is the same again.
 */
final class WindowKeys implements TargetKeys {
    /** Windows kept for the next handle; more go back to the device. */
    private static final int MAX_FREE = 64;

    private final RdmaCore core;
    private final BlockRegistrations blocks;
    private final WindowRequests requests;
    private final IbvQP qp;
    private final Map<HandleKey, Bound> bound = new HashMap<>();
    private final Deque<MemoryWindow> free = new ArrayDeque<>();

    private record Bound(MemoryWindow window, IbvMr block) {}

    private WindowKeys(RdmaCore core, BlockRegistrations blocks, WindowRequests requests, IbvQP qp) {
        this.core = core;
        this.blocks = blocks;
        this.requests = requests;
        this.qp = qp;
    }

    /** Makes the queue pair. */
    static WindowKeys connect(RdmaCore core, RdmaCmId id, BlockRegistrations blocks) throws IOException {
        WindowRequests requests = new WindowRequests(id.getVerbs());
        try {
            IbvQP qp = QueuePairs.create(id, blocks.pd(), requests.queue(), 1, 0);
            return new WindowKeys(core, blocks, requests, qp);
        } catch (IOException e) {
            QueuePairs.all(requests::close);
            throw e;
        }
    }

    @Override
    public Prepared give(HandleKey handle, MemorySegment block, boolean writable) throws IOException {
        Bound known = bound.get(handle);
        if (known == null) {
            known = bind(block, writable ? TargetMemory.READ_WRITE : TargetMemory.READ);
            bound.put(handle, known);
        }
        return new Prepared(known.block.getAddr(), known.window.rkey());
    }

    private Bound bind(MemorySegment block, int access) throws IOException {
        IbvMr registration = blocks.take(block);
        MemoryWindow window = null;
        try {
            window = free.isEmpty() ? core.allocateWindow(blocks.pd()) : free.pop();
            window.bind(qp, registration, block.address(), block.byteSize(), access & TargetMemory.REMOTE, 0);
            requests.await();
            return new Bound(window, registration);
        } catch (IOException e) {
            if (window != null) {
                QueuePairs.all(window::close, () -> blocks.giveBack(registration));
            } else {
                blocks.giveBack(registration);
            }
            throw e;
        }
    }

    @Override
    public boolean reaches(HandleKey handle) {
        return bound.containsKey(handle);
    }

    @Override
    public void take(HandleKey handle) throws IOException {
        Bound known = bound.get(handle);
        if (known == null) {
            return;
        }
        known.window.invalidate(qp, 0);
        requests.await();
        bound.remove(handle);
        blocks.giveBack(known.block);
        if (free.size() < MAX_FREE) {
            free.push(known.window);
        } else {
            known.window.close();
        }
    }

    /** A queue pair is not destroyed while windows are bound to it, but in the error state it takes no request any more. */
    @Override
    public void close(QueuePairs.Step destroyQueuePair) throws IOException {
        List<QueuePairs.Step> steps = new ArrayList<>();
        steps.add(() -> core.moveToError(qp));
        for (Bound one : bound.values()) {
            steps.add(one.window::close);
        }
        for (MemoryWindow one : free) {
            steps.add(one::close);
        }
        steps.add(destroyQueuePair);
        steps.add(requests::close);
        for (Bound one : bound.values()) {
            steps.add(() -> blocks.giveBack(one.block));
        }
        QueuePairs.all(steps.toArray(QueuePairs.Step[]::new));
    }
}
