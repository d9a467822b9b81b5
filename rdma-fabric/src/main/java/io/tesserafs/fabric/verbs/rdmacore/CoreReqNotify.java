package io.tesserafs.fabric.verbs.rdmacore;

import com.ibm.disni.verbs.SVCReqNotify;
import java.io.IOException;

/** Asks for an event when the next completion comes. Allocates nothing when executed. */
final class CoreReqNotify extends SVCReqNotify {
    private final CoreCq cq;
    private final boolean solicitedOnly;
    private boolean valid = true;

    CoreReqNotify(CoreCq cq, boolean solicitedOnly) {
        this.cq = cq;
        this.solicitedOnly = solicitedOnly;
    }

    @Override
    public SVCReqNotify execute() throws IOException {
        int error = cq.device.operations.requestNotification(cq.address, solicitedOnly);
        if (error != 0) {
            throw new VerbsException("ibv_req_notify_cq", error);
        }
        return this;
    }

    @Override
    public boolean isValid() {
        return valid && cq.isOpen();
    }

    @Override
    public SVCReqNotify free() {
        valid = false;
        return this;
    }
}
