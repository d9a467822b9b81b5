package io.tesserafs.fabric.verbs.rdmacore;

import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.RdmaCmId;
import java.io.IOException;

/** A connection to be, or a door at which they are accepted. */
final class CoreCmId extends RdmaCmId {
    final long address;
    final CoreEventChannel channel;

    CoreCmId(CoreEventChannel channel, long address) throws IOException {
        super(channel, null);
        this.channel = channel;
        this.address = address;
        this.ps = NativeMemory.getInt(address + VerbsLayout.CM_ID_PORT_SPACE);
        this.isOpen = true;
        if (NativeMemory.getLong(address + VerbsLayout.CM_ID_CHANNEL) != channel.address) {
            throw new VerbsUnavailableException("rdma_cm_id is not laid out as expected");
        }
        refresh();
    }

    /** Takes over what librdmacm found out: device and port. */
    void refresh() throws IOException {
        long context = NativeMemory.getLong(address + VerbsLayout.CM_ID_VERBS);
        if (context != 0 && verbs == null) {
            setVerbs(CoreContext.at(context));
        }
        setPort_num(NativeMemory.getByte(address + VerbsLayout.CM_ID_PORT));
    }

    void attach(CoreQp qp) {
        setQp(qp);
    }

    IbvQP detach() {
        IbvQP qp = getQp();
        setQp(null);
        return qp;
    }
}
