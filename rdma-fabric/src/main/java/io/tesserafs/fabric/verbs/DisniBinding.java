package io.tesserafs.fabric.verbs;

import com.ibm.disni.util.MemoryAllocation;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvPd;
import com.ibm.disni.verbs.RdmaCmId;
import com.ibm.disni.verbs.RdmaProvider;
import com.ibm.disni.verbs.impl.RdmaProviderNat;
import io.tesserafs.fabric.verbs.rdmacore.RdmaCore;
import io.tesserafs.fabric.verbs.rdmacore.VerbsUnavailableException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * DiSNI's own, which needs its native library on {@code java.library.path}. Its events do not say what a peer showed when it connected,
 * so a node with it connects to others and lets nobody in.
 */
final class DisniBinding implements VerbsBinding {
    private static final Logger LOG = LoggerFactory.getLogger(DisniBinding.class);

    private static final String PATH = "java.library.path";

    private static final String JVM_OPTION = "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED";

    private DisniBinding() {}

    static DisniBinding open() throws VerbsUnavailableException {
        try {
            RdmaProvider provider = RdmaProvider.provider();
            if (!(provider instanceof RdmaProviderNat)) {
                throw new VerbsUnavailableException("another implementation of DiSNI's interface is in use");
            }
            MemoryAllocation.getInstance()
                    .allocate(1)
                    .free(); // asks for the address of a buffer, in a way that the JVM has to permit
            LOG.info("RDMA by DiSNI's library, version {}", provider.getVersion());
            return new DisniBinding();
        } catch (VerbsUnavailableException e) {
            throw e;
        } catch (IllegalAccessError e) {
            throw new VerbsUnavailableException("DiSNI needs the JVM's option " + JVM_OPTION);
        } catch (IOException | LinkageError e) { // the latter says that the library, or a function in it, is missing
            String why = String.valueOf(e.getMessage());
            throw new VerbsUnavailableException("DiSNI's native library (libdisni) cannot be used: " + why
                    + (why.contains(PATH) ? "" : "; " + PATH + " is " + System.getProperty(PATH)));
        }
    }

    @Override
    public @Nullable RdmaCore extension() {
        return null;
    }

    @Override
    public IbvMr register(IbvPd pd, MemorySegment memory, int access) throws IOException {
        return pd.regMr(memory.address(), Math.toIntExact(memory.byteSize()), access)
                .execute()
                .free()
                .getMr();
    }

    @Override
    public void deregister(IbvMr memory) throws IOException {
        memory.deregMr().execute().free();
    }

    /** That is how librdmacm begins it. */
    @Override
    public void abort(RdmaCmId id) throws IOException {
        int error = id.disconnect();
        if (error != 0) {
            throw new IOException("a queue pair cannot be ended: " + error);
        }
    }
}
