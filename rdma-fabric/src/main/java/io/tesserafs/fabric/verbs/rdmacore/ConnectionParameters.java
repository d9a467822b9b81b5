package io.tesserafs.fabric.verbs.rdmacore;

import com.ibm.disni.verbs.RdmaConnParam;

/** The parameters of a connection, all of which can be set: DiSNI's own class refuses some. */
public final class ConnectionParameters extends RdmaConnParam {
    /** Of three bits. Seven is one more on hardware, but no end on soft-RoCE: who writes to a peer that is gone would wait for ever. */
    private static final byte RETRIES = 6;

    /** Without end, where a peer that lives has not posted a receive yet. */
    private static final byte RETRIES_UNTIL_READY = 7;

    /** Tries again as often as makes sense. */
    public ConnectionParameters() {
        retry_count = RETRIES;
        rnr_retry_count = RETRIES_UNTIL_READY;
    }

    /** READs of the peer that are answered at a time. */
    @Override
    public void setResponder_resources(byte reads) {
        responder_resources = reads;
    }

    /** READs that are under way to the peer at a time. */
    @Override
    public void setInitiator_depth(byte reads) {
        initiator_depth = reads;
    }

    @Override
    public void setFlow_control(byte hardware) {
        flow_control = hardware;
    }

    @Override
    public void setSrq(byte shared) {
        srq = shared;
    }

    /** Only for a queue pair that was not made by {@code createQP}. */
    @Override
    public void setQp_num(int number) {
        qp_num = number;
    }
}
