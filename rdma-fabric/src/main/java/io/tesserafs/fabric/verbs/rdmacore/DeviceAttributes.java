package io.tesserafs.fabric.verbs.rdmacore;

import com.ibm.disni.verbs.IbvContext;
import java.util.Set;

/**
 * What a device can do.
 *
 * @param maxMemoryBytes of one registration, unsigned
 * @param maxScatter elements of memory of one request
 * @param maxScatterOfRead of a READ; 0 of drivers that do not say
 * @param maxReads READs that one queue pair answers at a time
 * @param maxReadsInitiated READs that one queue pair has under way at a time
 * @param odpForConnected bits of {@code IbvContext.IBV_ODP_SUPPORT_...} for RC; 0 without on-demand paging
 */
public record DeviceAttributes(
        String firmware,
        long maxMemoryBytes,
        int vendor,
        int maxQueuePairs,
        int maxRequests,
        int maxScatter,
        int maxScatterOfRead,
        int maxCompletions,
        int maxRegistrations,
        int maxReads,
        int maxReadsInitiated,
        int maxWindows,
        int ports,
        Set<Capability> capabilities,
        int odpForConnected) {
    private static final int VENDOR_OF_SOFT_ROCE = 0xFFFFFF;

    public DeviceAttributes {
        capabilities = Set.copyOf(capabilities);
    }

    /** Of enum ib_uverbs_device_cap_flags, as far as it matters here. */
    public enum Capability {
        MEMORY_WINDOW(17),
        MEMORY_MANAGEMENT_EXTENSIONS(21),
        MEMORY_WINDOW_TYPE_2A(23),
        MEMORY_WINDOW_TYPE_2B(24),
        /** FLUSH that makes bytes visible to all. */
        FLUSH_GLOBAL(38),
        /** FLUSH that makes bytes persistent. */
        FLUSH_PERSISTENT(39);

        private final int bit;

        Capability(int bit) {
            this.bit = bit;
        }

        boolean isIn(long flags) {
            return (flags & 1L << bit) != 0;
        }
    }

    /** Whether this is soft-RoCE. */
    public boolean isEmulated() {
        return vendor == VENDOR_OF_SOFT_ROCE;
    }

    /** Whether reliable connections can use memory that is not pinned: what a file on a DAX file system needs. */
    public boolean pagesOnDemand() {
        int needed = IbvContext.IBV_ODP_SUPPORT_WRITE | IbvContext.IBV_ODP_SUPPORT_READ;
        return (odpForConnected & needed) == needed;
    }

    /** Whether the device sends and answers FLUSH. Whether it grants that to memory, is known when that is registered. */
    public boolean flushes() {
        return capabilities.contains(Capability.FLUSH_GLOBAL) && capabilities.contains(Capability.FLUSH_PERSISTENT);
    }

    /** Whether a window can be bound to one queue pair, so that nobody else can use its key. */
    public boolean bindsWindowsToQueuePairs() {
        return capabilities.contains(Capability.MEMORY_WINDOW_TYPE_2B) && maxWindows > 0;
    }
}
