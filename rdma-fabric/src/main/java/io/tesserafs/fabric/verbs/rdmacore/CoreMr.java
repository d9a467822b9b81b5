package io.tesserafs.fabric.verbs.rdmacore;

import com.ibm.disni.verbs.IbvMr;
import java.io.IOException;

/** Registered memory. */
final class CoreMr extends IbvMr {
    final long address;
    final long start;
    final long bytes;

    private CoreMr(CorePd pd, long address, long start, long bytes, int access) throws IOException {
        super(
                pd.device,
                start,
                (int) Math.min(bytes, Integer.MAX_VALUE),
                access,
                NativeMemory.getInt(address + VerbsLayout.MR_LKEY),
                NativeMemory.getInt(address + VerbsLayout.MR_RKEY),
                NativeMemory.getInt(address + VerbsLayout.MR_HANDLE));
        this.address = address;
        this.start = start;
        this.bytes = bytes;
        this.isOpen = true;
    }

    static CoreMr register(CorePd pd, long start, long bytes, int access) throws IOException {
        long address = Libraries.get().regMr.pointer(pd.address, start, bytes, access);
        if (NativeMemory.getLong(address + VerbsLayout.MR_PD) != pd.address
                || NativeMemory.getLong(address + VerbsLayout.MR_LENGTH) != bytes) {
            throw new VerbsUnavailableException("ibv_mr is not laid out as expected");
        }
        return new CoreMr(pd, address, start, bytes, access);
    }

    /** Idempotent. Once it returns, the keys are dead. */
    void deregister() throws IOException {
        synchronized (this) {
            if (!isOpen) {
                return;
            }
            Libraries.get().deregMr.check(address);
            close();
        }
    }
}
