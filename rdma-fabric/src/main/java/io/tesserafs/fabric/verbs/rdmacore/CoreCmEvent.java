package io.tesserafs.fabric.verbs.rdmacore;

import com.ibm.disni.verbs.RdmaCmEvent;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Something that happened to a connection. Its parameters' private data are at their address until it is acknowledged. */
final class CoreCmEvent extends RdmaCmEvent {
    final long address;
    private final byte[] privateData;
    private boolean acknowledged;

    CoreCmEvent(long address, @Nullable CoreCmId listening, CoreCmId id) throws IOException {
        super(NativeMemory.getInt(address + VerbsLayout.CM_EVENT_KIND), listening, id);
        this.address = address;
        this.status = NativeMemory.getInt(address + VerbsLayout.CM_EVENT_STATUS);
        long parameters = address + VerbsLayout.CM_EVENT_PARAM;
        long data = NativeMemory.getLong(parameters + VerbsLayout.CONN_PARAM_PRIVATE_DATA);
        int length = NativeMemory.getByte(parameters + VerbsLayout.CONN_PARAM_PRIVATE_DATA_LENGTH) & 0xFF;
        this.privateData = data == 0 ? new byte[0] : NativeMemory.getBytes(data, length);
        ConnectionParameters given = new ConnectionParameters();
        given.setPrivate_data(data);
        given.setPrivate_data_len((byte) length);
        given.setResponder_resources(NativeMemory.getByte(parameters + VerbsLayout.CONN_PARAM_RESPONDER_RESOURCES));
        given.setInitiator_depth(NativeMemory.getByte(parameters + VerbsLayout.CONN_PARAM_INITIATOR_DEPTH));
        given.setFlow_control(NativeMemory.getByte(parameters + VerbsLayout.CONN_PARAM_FLOW_CONTROL));
        given.setRetry_count(NativeMemory.getByte(parameters + VerbsLayout.CONN_PARAM_RETRY_COUNT));
        given.setRnr_retry_count(NativeMemory.getByte(parameters + VerbsLayout.CONN_PARAM_RNR_RETRY_COUNT));
        given.setSrq(NativeMemory.getByte(parameters + VerbsLayout.CONN_PARAM_SRQ));
        given.setQp_num(NativeMemory.getInt(parameters + VerbsLayout.CONN_PARAM_QP_NUMBER));
        this.conn = given;
    }

    /** A copy, taken when the event was. */
    byte[] privateData() {
        return privateData.clone();
    }

    void acknowledge() throws IOException {
        if (!acknowledged) {
            acknowledged = true;
            Libraries.get().ackCmEvent.check(address);
        }
    }
}
