package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvCQ;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvPd;
import com.ibm.disni.verbs.RdmaCmId;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.tcp.RemoteKey;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A registration for each handle. They belong to a protection domain of this queue pair alone, so that their keys are worth nothing on any
 * other.
 */
final class RegistrationKeys implements TargetKeys {
    private final TargetMemory memory;
    private final IbvPd pd;
    private final IbvCQ queue;
    private final Map<HandleKey, IbvMr> regions = new HashMap<>();

    private RegistrationKeys(TargetMemory memory, IbvPd pd, IbvCQ queue) {
        this.memory = memory;
        this.pd = pd;
        this.queue = queue;
    }

    /** Makes the queue pair. */
    static RegistrationKeys connect(TargetMemory memory, RdmaCmId id) throws IOException {
        IbvPd pd = id.getVerbs().allocPd();
        IbvCQ queue = null;
        try {
            queue = id.getVerbs().createCQ(null, 2, 0);
            QueuePairs.create(id, pd, queue, 1, 1, 0);
            return new RegistrationKeys(memory, pd, queue);
        } catch (IOException e) {
            QueuePairs.Step destroyQueue = queue == null ? () -> {} : queue::destroyCQ;
            QueuePairs.all(destroyQueue, pd::deallocPd);
            throw e;
        }
    }

    @Override
    public RemoteKey give(HandleKey handle, MemorySegment block, boolean writable) throws IOException {
        IbvMr region = regions.get(handle);
        if (region == null) {
            region = memory.register(pd, block, writable);
            regions.put(handle, region);
        }
        return new RemoteKey(region.getAddr(), region.getRkey());
    }

    @Override
    public boolean reaches(HandleKey handle) {
        return regions.containsKey(handle);
    }

    @Override
    public boolean reachesAny() {
        return !regions.isEmpty();
    }

    @Override
    public void take(HandleKey handle) throws IOException {
        IbvMr region = regions.get(handle);
        if (region != null) {
            memory.core().deregister(region);
            regions.remove(handle);
        }
    }

    /**
     * The queue pair goes first: a device may hold a region for as long as a request that has begun to arrive is not complete, and the peer
     * may never complete it.
     */
    @Override
    public void close(QueuePairs.Step destroyQueuePair) throws IOException {
        List<QueuePairs.Step> steps = new ArrayList<>();
        steps.add(destroyQueuePair);
        for (HandleKey handle : regions.keySet().toArray(HandleKey[]::new)) {
            steps.add(() -> take(handle));
        }
        steps.add(queue::destroyCQ);
        steps.add(pd::deallocPd);
        QueuePairs.all(steps.toArray(QueuePairs.Step[]::new));
    }
}
