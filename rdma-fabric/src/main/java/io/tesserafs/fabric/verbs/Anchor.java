package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.RdmaCm;
import com.ibm.disni.verbs.RdmaCmId;
import com.ibm.disni.verbs.RdmaEventChannel;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;

/** Keeps the device of an address open where there is no {@link Door} that does. */
final class Anchor {
    private final RdmaEventChannel events;
    private final RdmaCmId id;

    static LocalDevice openDevice(VerbsBinding binding, InetAddress address) throws IOException {
        Anchor anchor = new Anchor(address);
        try {
            return new LocalDevice(binding, anchor.id.getVerbs(), address, anchor::close);
        } catch (IOException e) {
            QueuePairs.all(anchor::close);
            throw e;
        }
    }

    private Anchor(InetAddress address) throws IOException {
        events = RdmaEventChannel.createEventChannel();
        id = events.createId(RdmaCm.RDMA_PS_TCP);
        try {
            id.bindAddr(new InetSocketAddress(address, 0));
            if (id.getVerbs() == null) {
                throw new IOException(address + " is not an address of an RDMA device");
            }
        } catch (IOException e) {
            QueuePairs.all(this::close);
            throw e;
        }
    }

    private void close() throws IOException {
        QueuePairs.all(id::destroyId, events::destroyEventChannel);
    }
}
