package io.tesserafs.fabric.verbs.rdmacore;

import com.ibm.disni.verbs.IbvCompChannel;
import java.io.IOException;

/** Where the events of a completion queue arrive. */
final class CoreCompChannel extends IbvCompChannel {
    final long address;
    final int fd;

    CoreCompChannel(CoreContext device, long address) throws IOException {
        super(NativeMemory.getInt(address + VerbsLayout.CHANNEL_FD), device);
        this.address = address;
        this.fd = NativeMemory.getInt(address + VerbsLayout.CHANNEL_FD);
        this.isOpen = true;
    }
}
