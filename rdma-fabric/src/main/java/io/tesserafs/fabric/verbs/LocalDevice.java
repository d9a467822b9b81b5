package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvContext;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvPd;
import io.tesserafs.fabric.brick.TransferMemory;
import io.tesserafs.fabric.verbs.rdmacore.DeviceAttributes;
import io.tesserafs.fabric.verbs.rdmacore.RdmaCore;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This host's device as all its initiators use it: one protection domain, in which nothing is open to peers, and the memory that it
 * knows. Released by the last of its users. Thread-safe.
 */
final class LocalDevice {
    private static final Logger LOG = LoggerFactory.getLogger(LocalDevice.class);

    private final VerbsBinding binding;
    private final InetAddress address;
    private final IbvPd pd;
    private final QueuePairs.Step afterwards;
    private final @Nullable RdmaCore flushing;
    private final int readElements;
    private final int writeElements;

    /** By the number of the piece of {@link TransferMemory}; null if the device refused it. Guarded by this, as is the next. */
    private final List<@Nullable IbvMr> pieces = new ArrayList<>();

    private int users = 1;

    /**
     * With one user.
     *
     * @param device the one that has this address
     * @param afterwards when it is released
     */
    LocalDevice(VerbsBinding binding, IbvContext device, InetAddress address, QueuePairs.Step afterwards)
            throws IOException {
        this.binding = binding;
        this.address = address;
        this.afterwards = afterwards;
        RdmaCore core = binding.extension();
        DeviceAttributes attributes = core == null ? null : core.attributes(device);
        this.flushing = attributes != null && attributes.flushes() ? core : null;
        this.writeElements = attributes == null ? 1 : Math.clamp(attributes.maxScatter(), 1, Gather.MAX_ELEMENTS);
        this.readElements = attributes == null ? 1 : Math.clamp(attributes.maxScatterOfRead(), 1, writeElements);
        this.pd = device.allocPd();
    }

    VerbsBinding binding() {
        return binding;
    }

    InetAddress address() {
        return address;
    }

    /** By which queue pairs with FLUSH are made; null if the device does not do it. */
    @Nullable
    RdmaCore flushing() {
        return flushing;
    }

    /** Of memory, that one request may have; as far as is known. */
    int elements(OneSided kind) {
        return kind == OneSided.READ ? readElements : writeElements;
    }

    IbvPd pd() {
        return pd;
    }

    /** Of memory that the device can use without a copy; null of other memory, and when the last user has gone. */
    synchronized @Nullable IbvMr find(MemorySegment memory) {
        if (users == 0) {
            return null;
        }
        int piece = TransferMemory.pieceOf(memory);
        while (pieces.size() <= piece) {
            pieces.add(register(TransferMemory.piece(pieces.size())));
        }
        return piece < 0 ? null : pieces.get(piece);
    }

    private @Nullable IbvMr register(MemorySegment memory) {
        try {
            return binding.register(pd, memory, IbvMr.IBV_ACCESS_LOCAL_WRITE);
        } catch (IOException e) {
            LOG.warn(
                    "bytes are copied on their way to and from the RDMA device, as it does not take their memory: {}",
                    e.getMessage());
            return null;
        }
    }

    /** False if the last user has gone. */
    synchronized boolean retain() {
        if (users == 0) {
            return false;
        }
        users++;
        return true;
    }

    synchronized void release() throws IOException {
        users--;
        if (users > 0) {
            return;
        }
        List<QueuePairs.Step> steps = new ArrayList<>();
        for (IbvMr piece : pieces) {
            if (piece != null) {
                steps.add(() -> binding.deregister(piece));
            }
        }
        steps.add(pd::deallocPd);
        steps.add(afterwards);
        QueuePairs.all(steps.toArray(QueuePairs.Step[]::new));
    }
}
