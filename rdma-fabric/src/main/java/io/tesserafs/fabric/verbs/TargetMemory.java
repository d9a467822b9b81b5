package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvContext;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvPd;
import com.ibm.disni.verbs.RdmaCmId;
import io.tesserafs.fabric.verbs.rdmacore.DeviceAttributes;
import io.tesserafs.fabric.verbs.rdmacore.RdmaCore;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How this host's device is given the memory of pools, and peers the keys to it: by what the device can do. Memory that the kernel does not
 * let devices pin, that of files on DAX file systems, is registered for on-demand paging. Thread-safe.
 */
final class TargetMemory {
    private static final Logger LOG = LoggerFactory.getLogger(TargetMemory.class);

    static final int READ = IbvMr.IBV_ACCESS_REMOTE_READ;
    static final int READ_WRITE =
            IbvMr.IBV_ACCESS_LOCAL_WRITE | IbvMr.IBV_ACCESS_REMOTE_WRITE | IbvMr.IBV_ACCESS_REMOTE_READ;
    static final int BEHIND_WINDOWS = IbvMr.IBV_ACCESS_LOCAL_WRITE | IbvMr.IBV_ACCESS_MW_BIND;

    /** Of the above, what a window may grant. */
    static final int REMOTE = IbvMr.IBV_ACCESS_REMOTE_WRITE | IbvMr.IBV_ACCESS_REMOTE_READ;

    private final RdmaCore core;
    private final IbvContext device;
    private final boolean pagesOnDemand;

    /** Written with this, as is the next; settled before peers come. */
    private volatile Revocation revocation;

    private volatile boolean onDemand;

    /** Guarded by this. */
    private @Nullable BlockRegistrations blocks;

    TargetMemory(RdmaCore core, IbvContext device, KeyPolicy policy) throws IOException {
        this.core = core;
        this.device = device;
        DeviceAttributes attributes = core.attributes(device);
        this.pagesOnDemand = attributes.pagesOnDemand() && (!attributes.isEmulated() || policy.onDemandIfEmulated());
        this.revocation = policy.revocation().orElseGet(() -> Revocation.of(attributes));
    }

    RdmaCore core() {
        return core;
    }

    Revocation revocation() {
        return revocation;
    }

    /**
     * Finds out how memory like this can be registered.
     *
     * @throws IOException if it cannot
     */
    synchronized void prepareFor(MemorySegment block) throws IOException {
        IbvPd pd = device.allocPd();
        try {
            try {
                tryOut(pd, block, revocation == Revocation.MEMORY_WINDOW ? BEHIND_WINDOWS : READ_WRITE);
            } catch (IOException e) {
                if (onDemand || !pagesOnDemand) {
                    throw e;
                }
                tryOut(pd, block, READ_WRITE | IbvMr.IBV_ACCESS_ON_DEMAND);
                LOG.info(
                        "pages of pools are looked up by the RDMA device when they are used: they cannot be pinned ({})",
                        e.getMessage());
                onDemand = true;
                revocation = Revocation.REGISTRATION; // devices bind windows to memory that is pinned
            }
            if (revocation == Revocation.MEMORY_WINDOW) {
                tryWindow(pd);
            }
        } finally {
            QueuePairs.all(pd::deallocPd);
        }
    }

    private void tryOut(IbvPd pd, MemorySegment block, int access) throws IOException {
        core.deregister(register(pd, block, access));
    }

    private void tryWindow(IbvPd pd) {
        try {
            core.allocateWindow(pd).close();
        } catch (IOException e) {
            LOG.warn("the RDMA device gives no memory window, though it should: {}", e.getMessage());
            revocation = Revocation.REGISTRATION;
        }
    }

    IbvMr register(IbvPd pd, MemorySegment block, int access) throws IOException {
        return core.register(pd, block, onDemand ? access | IbvMr.IBV_ACCESS_ON_DEMAND : access);
    }

    /** Makes the queue pair of a peer that connects, and what it takes to give it keys. */
    TargetKeys connect(RdmaCmId id) throws IOException {
        return revocation == Revocation.MEMORY_WINDOW
                ? WindowKeys.connect(core, id, blocks())
                : RegistrationKeys.connect(this, id);
    }

    private synchronized BlockRegistrations blocks() throws IOException {
        BlockRegistrations known = blocks;
        if (known == null) {
            known = new BlockRegistrations(this, device.allocPd());
            blocks = known;
        }
        return known;
    }

    /** After all queue pairs. Idempotent. */
    synchronized void close() throws IOException {
        BlockRegistrations known = blocks;
        blocks = null;
        if (known != null) {
            known.close();
        }
    }
}
