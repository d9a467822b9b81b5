package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvPd;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.IbvSendWR;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A memory window of type 2: a key to a part of registered memory, given and taken back by requests on a queue pair, in order with the
 * others there and without the kernel. On devices that do type 2B the key is good on that queue pair only. Not thread-safe.
 */
public final class MemoryWindow implements AutoCloseable {
    private static final int TYPE_2 = 2;
    private static final int WR_LOCAL_INVALIDATE = 7;
    private static final int WR_BIND_WINDOW = 8;

    /** The part of a key that changes from one binding to the next. */
    private static final int KEY_TAG_MASK = 0xFF;

    private final long address;
    private final CoreContext device;
    private final MemorySegment request = Arena.ofAuto().allocate(VerbsLayout.SEND_WR_BYTES + Long.BYTES, Long.BYTES);
    private int key;
    private boolean open = true;

    private MemoryWindow(CoreContext device, long address) {
        this.device = device;
        this.address = address;
        this.key = NativeMemory.getInt(address + VerbsLayout.MW_RKEY);
    }

    static MemoryWindow allocate(IbvPd pd) throws IOException {
        CorePd domain = (CorePd) pd;
        long address = domain.device.operations.allocWindow(domain.address, TYPE_2);
        if (address == 0) {
            throw new IOException("the device gives no memory window of type 2");
        }
        if (NativeMemory.getLong(address + VerbsLayout.MW_PD) != domain.address) {
            throw new VerbsUnavailableException("ibv_mw is not laid out as expected");
        }
        return new MemoryWindow(domain.device, address);
    }

    /** The remote key, once the request to bind it has completed. */
    public int rkey() {
        return key;
    }

    /**
     * Posts the request that makes {@link #rkey} a key to a part of {@code memory}, which was registered with IBV_ACCESS_MW_BIND. Signalled.
     *
     * @param access as of a registration
     */
    public void bind(IbvQP qp, IbvMr memory, long start, long bytes, int access, long requestId) throws IOException {
        int next = (key & ~KEY_TAG_MASK) | ((key + 1) & KEY_TAG_MASK);
        begin(requestId, WR_BIND_WINDOW, IbvSendWR.IBV_SEND_SIGNALED);
        request.set(JAVA_LONG, VerbsLayout.SEND_WR_BIND_MW, address);
        request.set(JAVA_INT, VerbsLayout.SEND_WR_BIND_RKEY, next);
        request.set(JAVA_LONG, VerbsLayout.SEND_WR_BIND_MR, ((CoreMr) memory).address);
        request.set(JAVA_LONG, VerbsLayout.SEND_WR_BIND_ADDRESS, start);
        request.set(JAVA_LONG, VerbsLayout.SEND_WR_BIND_LENGTH, bytes);
        request.set(JAVA_INT, VerbsLayout.SEND_WR_BIND_ACCESS, access);
        post((CoreQp) qp);
        key = next;
        NativeMemory.setInt(address + VerbsLayout.MW_RKEY, next); // where the next request to bind it looks
    }

    /** Posts the request that kills the key: once it has completed, nobody reaches memory by it. Signalled. */
    public void invalidate(IbvQP qp, long requestId) throws IOException {
        begin(requestId, WR_LOCAL_INVALIDATE, IbvSendWR.IBV_SEND_SIGNALED);
        request.set(JAVA_INT, VerbsLayout.SEND_WR_INVALIDATE_RKEY, key);
        post((CoreQp) qp);
    }

    private void begin(long requestId, int opcode, int flags) {
        request.fill((byte) 0);
        request.set(JAVA_LONG, VerbsLayout.SEND_WR_ID, requestId);
        request.set(JAVA_INT, VerbsLayout.SEND_WR_OPCODE, opcode);
        request.set(JAVA_INT, VerbsLayout.SEND_WR_FLAGS, flags);
    }

    private void post(CoreQp qp) throws IOException {
        int error = device.operations.postSend(
                qp.address, request.address(), request.address() + VerbsLayout.SEND_WR_BYTES);
        if (error != 0) {
            throw new VerbsException("ibv_post_send", error);
        }
    }

    /** Kills the key, whatever state the queue pair is in. Idempotent. */
    @Override
    public void close() throws IOException {
        if (open) {
            int error = device.operations.deallocWindow(address);
            if (error != 0) {
                throw new VerbsException("ibv_dealloc_mw", error);
            }
            open = false;
        }
    }
}
