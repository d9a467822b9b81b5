package io.tesserafs.fabric.verbs.rdmacore;

import com.ibm.disni.verbs.RdmaEventChannel;
import java.io.IOException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/** Where the events of connections arrive. */
final class CoreEventChannel extends RdmaEventChannel {
    final long address;
    final int fd;
    /** By address. */
    final ConcurrentMap<Long, CoreCmId> ids = new ConcurrentHashMap<>();

    CoreEventChannel(long address) throws IOException {
        super(NativeMemory.getInt(address + VerbsLayout.CM_CHANNEL_FD));
        this.address = address;
        this.fd = NativeMemory.getInt(address + VerbsLayout.CM_CHANNEL_FD);
        this.isOpen = true;
    }
}
