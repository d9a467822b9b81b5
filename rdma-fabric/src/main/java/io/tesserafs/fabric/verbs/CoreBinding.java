package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvPd;
import com.ibm.disni.verbs.RdmaCmId;
import io.tesserafs.fabric.verbs.rdmacore.RdmaCore;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** Ours, on the libraries of rdma-core. */
record CoreBinding(RdmaCore extension) implements VerbsBinding {
    @Override
    public IbvMr register(IbvPd pd, MemorySegment memory, int access) throws IOException {
        return extension.register(pd, memory, access);
    }

    @Override
    public void deregister(IbvMr memory) throws IOException {
        extension.deregister(memory);
    }

    @Override
    public void abort(RdmaCmId id) throws IOException {
        extension.moveToError(id.getQp());
    }
}
