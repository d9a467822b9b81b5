package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvCQ;
import com.ibm.disni.verbs.IbvPd;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.IbvQPInitAttr;
import com.ibm.disni.verbs.RdmaCmId;
import io.tesserafs.fabric.verbs.rdmacore.ConnectionParameters;
import io.tesserafs.fabric.verbs.rdmacore.RdmaCore;
import java.io.IOException;

/** How queue pairs are made, at both ends. */
final class QueuePairs {
    /** READs under way at a time; every device does so many. */
    private static final byte READS = 8;

    private QueuePairs() {}

    /**
     * @param elements of memory of one request
     * @param inlineBytes for requests that carry their bytes
     */
    static IbvQP create(RdmaCmId id, IbvPd pd, IbvCQ completions, int requests, int elements, int inlineBytes)
            throws IOException {
        return id.createQP(pd, attributes(completions, requests, elements, inlineBytes, completions, 1));
    }

    /** One to which messages are sent, too; each request has one element. */
    static IbvQP create(RdmaCmId id, IbvPd pd, IbvCQ sent, int requests, int inlineBytes, IbvCQ received, int receives)
            throws IOException {
        return id.createQP(pd, attributes(sent, requests, 1, inlineBytes, received, receives));
    }

    /** As the first, of one that can post FLUSH too; fails if this host's device or library cannot do that. */
    static IbvQP createFlushing(
            RdmaCore core, RdmaCmId id, IbvPd pd, IbvCQ completions, int requests, int elements, int inlineBytes)
            throws IOException {
        return core.createFlushingQp(id, pd, attributes(completions, requests, elements, inlineBytes, completions, 1));
    }

    private static IbvQPInitAttr attributes(
            IbvCQ sent, int requests, int elements, int inlineBytes, IbvCQ received, int receives) {
        IbvQPInitAttr attributes = new IbvQPInitAttr();
        attributes.setQp_type(IbvQP.IBV_QPT_RC);
        attributes.setSend_cq(sent);
        attributes.setRecv_cq(received);
        attributes.cap().setMax_send_wr(requests);
        attributes.cap().setMax_recv_wr(receives);
        attributes.cap().setMax_send_sge(elements);
        attributes.cap().setMax_recv_sge(1);
        attributes.cap().setMax_inline_data(inlineBytes);
        return attributes;
    }

    static ConnectionParameters parameters() {
        ConnectionParameters parameters = new ConnectionParameters();
        parameters.setResponder_resources(READS);
        parameters.setInitiator_depth(READS);
        return parameters;
    }

    /** A step of taking something apart, of which the others are independent. */
    interface Step {
        void run() throws Exception;
    }

    /** Runs all steps, whatever becomes of each; then throws the first failure. */
    static void all(Step... steps) throws IOException {
        IOException first = null;
        for (Step step : steps) {
            try {
                step.run();
            } catch (Exception e) {
                if (first == null) {
                    first = new IOException("RDMA resources cannot be released: " + e.getMessage(), e);
                } else {
                    first.addSuppressed(e);
                }
            }
        }
        if (first != null) {
            throw first;
        }
    }
}
