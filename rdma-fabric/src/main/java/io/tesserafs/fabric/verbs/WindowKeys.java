package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.RdmaCmId;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.tcp.RemoteKey;
import io.tesserafs.fabric.verbs.rdmacore.MemoryWindow;
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

    private final TargetMemory memory;
    private final BlockRegistrations blocks;
    private final WindowRequests requests;
    private final IbvQP qp;
    private final Map<HandleKey, Bound> bound = new HashMap<>();
    private final Deque<MemoryWindow> free = new ArrayDeque<>();

    private record Bound(MemoryWindow window, IbvMr block) {}

    private WindowKeys(TargetMemory memory, BlockRegistrations blocks, WindowRequests requests, IbvQP qp) {
        this.memory = memory;
        this.blocks = blocks;
        this.requests = requests;
        this.qp = qp;
    }

    /** Makes the queue pair. */
    static WindowKeys connect(TargetMemory memory, RdmaCmId id, BlockRegistrations blocks) throws IOException {
        WindowRequests requests = new WindowRequests(id.getVerbs());
        try {
            IbvQP qp = QueuePairs.create(id, blocks.pd(), requests.queue(), 1, 1, 0);
            return new WindowKeys(memory, blocks, requests, qp);
        } catch (IOException e) {
            QueuePairs.all(requests::close);
            throw e;
        }
    }

    @Override
    public RemoteKey give(HandleKey handle, MemorySegment block, boolean writable) throws IOException {
        Bound known = bound.get(handle);
        if (known == null) {
            known = bind(handle, block, memory.windowAccess(writable));
        }
        return new RemoteKey(known.block.getAddr(), known.window.rkey());
    }

    private Bound bind(HandleKey handle, MemorySegment block, int access) throws IOException {
        IbvMr registration = blocks.take(block);
        MemoryWindow window = null;
        try {
            window = free.isEmpty() ? memory.core().allocateWindow(blocks.pd()) : free.pop();
            Bound binding = new Bound(window, registration);
            window.bind(qp, registration, block.address(), block.byteSize(), access, 0);
            bound.put(handle, binding); // so that the end of the queue pair finds it
            requests.await();
            return binding;
        } catch (UnreturnedException e) {
            throw e; // the device may have begun: both stay until the queue pair is gone
        } catch (IOException | RuntimeException e) {
            bound.remove(handle);
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
    public boolean reachesAny() {
        return !bound.isEmpty();
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
        QueuePairs.all(() -> keepOrClose(known.window), () -> blocks.giveBack(known.block));
    }

    private void keepOrClose(MemoryWindow window) throws IOException {
        if (free.size() < MAX_FREE) {
            free.push(window);
        } else {
            window.close();
        }
    }

    /** A queue pair is not destroyed while windows are bound to it, but in the error state it takes no request any more. */
    @Override
    public void close(QueuePairs.Step destroyQueuePair) throws IOException {
        List<QueuePairs.Step> steps = new ArrayList<>();
        Map<HandleKey, Bound> all = Map.copyOf(bound);
        steps.add(() -> memory.core().moveToError(qp));
        all.forEach((handle, one) -> steps.add(() -> {
            one.window.close();
            bound.remove(handle);
        }));
        for (MemoryWindow one : free) {
            steps.add(one::close);
        }
        steps.add(destroyQueuePair);
        steps.add(requests::close);
        all.values().forEach(one -> steps.add(() -> blocks.giveBack(one.block)));
        QueuePairs.all(steps.toArray(QueuePairs.Step[]::new));
    }
}
