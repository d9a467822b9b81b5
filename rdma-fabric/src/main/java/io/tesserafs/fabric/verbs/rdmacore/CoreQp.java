package io.tesserafs.fabric.verbs.rdmacore;

import com.ibm.disni.verbs.IbvQP;
import java.io.IOException;

/** A reliable connected queue pair. */
final class CoreQp extends IbvQP {
    /** Of enum ibv_qp_type. */
    static final int RELIABLE_CONNECTED = 2;

    private static final int MAX_QP_NUMBER = 0xFFFFFF;

    final long address;
    final CoreContext device;

    CoreQp(CorePd pd, CoreCq sendCq, CoreCq receiveCq, long address) throws IOException {
        super(NativeMemory.getInt(address + VerbsLayout.QP_NUMBER));
        this.address = address;
        this.device = pd.device;
        this.context = pd.device;
        this.pd = pd;
        this.send_cq = sendCq;
        this.recv_cq = receiveCq;
        this.handle = NativeMemory.getInt(address + VerbsLayout.QP_HANDLE);
        this.qp_num = NativeMemory.getInt(address + VerbsLayout.QP_NUMBER);
        this.state = NativeMemory.getInt(address + VerbsLayout.QP_STATE);
        this.qp_type = NativeMemory.getInt(address + VerbsLayout.QP_TYPE);
        this.isOpen = true;
        if (NativeMemory.getLong(address + VerbsLayout.QP_CONTEXT) != device.address
                || NativeMemory.getLong(address + VerbsLayout.QP_PD) != pd.address
                || NativeMemory.getLong(address + VerbsLayout.QP_SEND_CQ) != sendCq.address
                || NativeMemory.getLong(address + VerbsLayout.QP_RECV_CQ) != receiveCq.address
                || qp_type != RELIABLE_CONNECTED
                || qp_num < 0
                || qp_num > MAX_QP_NUMBER) {
            throw new VerbsUnavailableException("ibv_qp is not laid out as expected");
        }
    }
}
