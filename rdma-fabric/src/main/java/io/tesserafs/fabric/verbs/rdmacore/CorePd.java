package io.tesserafs.fabric.verbs.rdmacore;

import com.ibm.disni.verbs.IbvPd;
import java.io.IOException;

/** A protection domain. */
final class CorePd extends IbvPd {
    final long address;
    final CoreContext device;

    CorePd(CoreContext device, long address) throws IOException {
        super(device);
        this.device = device;
        this.address = address;
        this.handle = NativeMemory.getInt(address + VerbsLayout.PD_HANDLE);
        this.isOpen = true;
    }
}
