package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvPd;
import com.ibm.disni.verbs.RdmaCmId;
import io.tesserafs.fabric.verbs.rdmacore.RdmaCore;
import io.tesserafs.fabric.verbs.rdmacore.VerbsUnavailableException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Which implementation stands behind DiSNI's interface, and what is done differently by each. One for the process. Who connects to peers
 * needs no more than this; who lets peers in, needs {@link #extension}.
 */
public sealed interface VerbsBinding permits CoreBinding, DisniBinding {
    /** Of the two, by the names used in configurations. */
    enum Kind {
        RDMA_CORE,
        DISNI
    }

    /** @throws VerbsUnavailableException says why it cannot be had on this host */
    static VerbsBinding open(Kind kind) throws VerbsUnavailableException {
        return switch (kind) {
            case RDMA_CORE -> new CoreBinding(RdmaCore.open());
            case DISNI -> DisniBinding.open();
        };
    }

    /**
     * What DiSNI's interface lacks: reading what a peer shows when it connects, refusing it, windows. Null if this binding does not have it:
     * then peers' queue pairs cannot be told apart, so none is let in.
     */
    @Nullable
    RdmaCore extension();

    /** Memory below 2 GiB. */
    IbvMr register(IbvPd pd, MemorySegment memory, int access) throws IOException;

    /** When it returns, the keys are dead. */
    void deregister(IbvMr memory) throws IOException;

    /** Ends all that is under way on the queue pair of a connection, and all that will be posted, with an error. */
    void abort(RdmaCmId id) throws IOException;
}
