package io.tesserafs.fabric.verbs.rdmacore;

import com.ibm.disni.verbs.RdmaConnParam;

/** The parameters of a connection, all of which can be set: DiSNI's own class refuses some. */
public final class ConnectionParameters extends RdmaConnParam {
    /** Without end, where a peer has not posted a receive yet; else as often as the field can say. */
    private static final byte MAX_RETRIES = 7;

    /** Tries again as often as possible. */
    public ConnectionParameters() {
        retry_count = MAX_RETRIES;
        rnr_retry_count = MAX_RETRIES;
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
