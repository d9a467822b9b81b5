package io.tesserafs.fabric.verbs.rdmacore;

import com.ibm.disni.verbs.IbvCQ;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A completion queue. */
final class CoreCq extends IbvCQ {
    final long address;
    final CoreContext device;

    CoreCq(CoreContext device, @Nullable CoreCompChannel channel, long address) throws IOException {
        super(device, channel, NativeMemory.getInt(address + VerbsLayout.CQ_ENTRIES));
        this.device = device;
        this.address = address;
        this.handle = NativeMemory.getInt(address + VerbsLayout.CQ_HANDLE);
        this.isOpen = true;
    }
}
