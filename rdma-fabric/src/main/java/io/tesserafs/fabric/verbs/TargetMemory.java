package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvContext;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvPd;
import com.ibm.disni.verbs.RdmaCmId;
import io.tesserafs.fabric.verbs.rdmacore.DeviceAttributes;
import io.tesserafs.fabric.verbs.rdmacore.RdmaCore;
import io.tesserafs.fabric.verbs.rdmacore.RemoteFlush;
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

    private static final int READ = IbvMr.IBV_ACCESS_REMOTE_READ;
    private static final int WINDOW_READ_WRITE = IbvMr.IBV_ACCESS_REMOTE_WRITE | IbvMr.IBV_ACCESS_REMOTE_READ;
    private static final int READ_WRITE = IbvMr.IBV_ACCESS_LOCAL_WRITE | WINDOW_READ_WRITE;
    private static final int BEHIND_WINDOWS = IbvMr.IBV_ACCESS_LOCAL_WRITE | IbvMr.IBV_ACCESS_MW_BIND;

    private final RdmaCore core;
    private final IbvContext device;
    private final boolean pagesOnDemand;
    private final boolean deviceFlushes;

    /** Written with this, as is the next; settled before peers come. */
    private volatile Revocation revocation;

    private volatile boolean onDemand;

    /** Of all memory that was prepared for. */
    private volatile boolean flushes;

    /** Guarded by this, as is the next. */
    private boolean preparedForSome;

    private @Nullable BlockRegistrations blocks;

    TargetMemory(RdmaCore core, IbvContext device, KeyPolicy policy) throws IOException {
        this.core = core;
        this.device = device;
        DeviceAttributes attributes = core.attributes(device);
        this.pagesOnDemand = attributes.pagesOnDemand() && (!attributes.isEmulated() || policy.onDemandIfEmulated());
        this.deviceFlushes = attributes.flushes();
        this.revocation = policy.revocation().orElseGet(() -> Revocation.of(attributes));
    }

    RdmaCore core() {
        return core;
    }

    Revocation revocation() {
        return revocation;
    }

    /**
     * Whether the device makes persistent what peers wrote, when they send it a FLUSH. Soft-RoCE grants that to persistent memory only, and
     * so do we.
     */
    boolean flushes() {
        return flushes;
    }

    /**
     * Finds out how memory like this can be registered.
     *
     * @param persistent whether bytes there are safe once they have left all caches
     * @throws IOException if it cannot
     */
    synchronized void prepareFor(MemorySegment block, boolean persistent) throws IOException {
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
            flushes = persistent && grantsFlush(pd, block) && (flushes || !preparedForSome);
            preparedForSome = true;
        } finally {
            QueuePairs.all(pd::deallocPd);
        }
    }

    private void tryOut(IbvPd pd, MemorySegment block, int access) throws IOException {
        core.deregister(register(pd, block, access));
    }

    /** Not with on-demand paging: soft-RoCE learnt that late, and says so elsewhere. */
    private boolean grantsFlush(IbvPd pd, MemorySegment block) {
        if (!deviceFlushes || onDemand) {
            return false;
        }
        try {
            tryOut(pd, block, READ_WRITE | RemoteFlush.ACCESS);
            return true;
        } catch (IOException e) {
            LOG.info("the RDMA device does FLUSH, but not to this memory: {}", e.getMessage());
            return false;
        }
    }

    private void tryWindow(IbvPd pd) {
        try {
            core.allocateWindow(pd).close();
        } catch (IOException e) {
            LOG.warn("the RDMA device gives no memory window, though it should: {}", e.getMessage());
            revocation = Revocation.REGISTRATION;
        }
    }

    /** For peers that are to reach it by the key of this registration. */
    IbvMr register(IbvPd pd, MemorySegment block, boolean writable) throws IOException {
        return register(pd, block, withFlush(writable ? READ_WRITE : READ));
    }

    /** For windows. */
    IbvMr registerForWindows(IbvPd pd, MemorySegment block) throws IOException {
        return register(pd, block, withFlush(BEHIND_WINDOWS));
    }

    /** What such a window grants. */
    int windowAccess(boolean writable) {
        return withFlush(writable ? WINDOW_READ_WRITE : READ);
    }

    /** FLUSH changes nothing, so readers may have it too. */
    private int withFlush(int access) {
        return flushes ? access | RemoteFlush.ACCESS : access;
    }

    private IbvMr register(IbvPd pd, MemorySegment block, int access) throws IOException {
        return core.register(pd, block, onDemand ? access | IbvMr.IBV_ACCESS_ON_DEMAND : access);
    }

    /** Makes the queue pair of a peer that connects, and what it takes to give it keys. */
    TargetKeys connect(RdmaCmId id) throws IOException {
        return revocation == Revocation.MEMORY_WINDOW
                ? WindowKeys.connect(this, id, blocks())
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
