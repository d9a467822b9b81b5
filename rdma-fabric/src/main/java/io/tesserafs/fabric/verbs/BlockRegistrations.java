package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvPd;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Blocks as the device knows them beneath memory windows: registered once for all sessions, in one protection domain, with a key that is
 * good for no peer. Those that no window is bound to stay registered, as the next handle is likely to come.
 *
 * <p>One registration for each block and none for the whole pool: soft-RoCE checks requests through a window against the bounds of the
 * registration, not those of the window (seen in Linux 6.1 to 6.12). It also keeps what is pinned bounded. Thread-safe.
 */
final class BlockRegistrations {
    /** Of those without a window: 2 GiB of pinned memory. */
    private static final int MAX_IDLE = 1024;

    private final TargetMemory memory;
    private final IbvPd pd;

    /** By address; guarded by this, as is the next. */
    private final Map<Long, Block> used = new LinkedHashMap<>();

    /** The one that has been idle for longest comes first. */
    private final Map<Long, Block> idle = new LinkedHashMap<>();

    private static final class Block {
        final IbvMr registration;
        int windows;

        Block(IbvMr registration) {
            this.registration = registration;
        }
    }

    /** @param pd closed with this */
    BlockRegistrations(TargetMemory memory, IbvPd pd) {
        this.memory = memory;
        this.pd = pd;
    }

    IbvPd pd() {
        return pd;
    }

    /** For one window, until it is given back. */
    synchronized IbvMr take(MemorySegment block) throws IOException {
        Block known = used.get(block.address());
        if (known == null) {
            known = idle.remove(block.address());
            if (known == null) {
                known = new Block(memory.registerForWindows(pd, block));
            }
            used.put(block.address(), known);
        }
        known.windows++;
        return known.registration;
    }

    /** After the window was invalidated. */
    synchronized void giveBack(IbvMr registration) throws IOException {
        Block known = used.get(registration.getAddr());
        if (known == null) {
            throw new IllegalStateException("nobody has taken " + Long.toHexString(registration.getAddr()));
        }
        known.windows--;
        if (known.windows > 0) {
            return;
        }
        used.remove(registration.getAddr());
        idle.put(registration.getAddr(), known);
        if (idle.size() > MAX_IDLE) {
            Iterator<Block> all = idle.values().iterator();
            memory.core().deregister(all.next().registration);
            all.remove();
        }
    }

    /** After the windows. */
    synchronized void close() throws IOException {
        List<QueuePairs.Step> steps = new ArrayList<>();
        for (Map<Long, Block> blocks : List.of(used, idle)) {
            blocks.values().forEach(block -> steps.add(() -> memory.core().deregister(block.registration)));
            blocks.clear();
        }
        steps.add(pd::deallocPd);
        QueuePairs.all(steps.toArray(QueuePairs.Step[]::new));
    }
}
