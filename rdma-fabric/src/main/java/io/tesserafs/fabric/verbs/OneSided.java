package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvSendWR;

/** What the target's processor has no part in. */
enum OneSided {
    /** From the target's memory. */
    READ(IbvSendWR.IBV_WR_RDMA_READ),
    /** Into the target's memory. */
    WRITE(IbvSendWR.IBV_WR_RDMA_WRITE);

    /** Of enum ibv_wr_opcode. */
    final int opcode;

    OneSided(int opcode) {
        this.opcode = opcode;
    }
}
