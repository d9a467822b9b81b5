package io.tesserafs.fabric.verbs.rdmacore;

import com.ibm.disni.verbs.IbvContext;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;

/** An open device. librdmacm opens each device once and keeps it open, so there is one of these for each and it is never closed. */
final class CoreContext extends IbvContext {
    /** By address. Guarded by the class. */
    private static final Map<Long, CoreContext> KNOWN = new HashMap<>();

    final long address;
    final Operations operations;

    private CoreContext(long address) throws IOException {
        super(
                NativeMemory.getInt(address + VerbsLayout.CONTEXT_COMMAND_FD),
                NativeMemory.getInt(address + VerbsLayout.CONTEXT_COMPLETION_VECTORS));
        this.address = address;
        this.operations = Operations.of(address);
    }

    /** @param address of a context that librdmacm opened */
    static CoreContext at(long address) throws IOException {
        synchronized (CoreContext.class) {
            CoreContext context = KNOWN.get(address);
            if (context == null) {
                context = new CoreContext(address);
                KNOWN.put(address, context);
            }
            return context;
        }
    }

    static CoreContext of(IbvContext context) {
        return (CoreContext) context;
    }
}
