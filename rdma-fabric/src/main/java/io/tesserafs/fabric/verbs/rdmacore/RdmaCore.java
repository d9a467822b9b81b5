package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import com.ibm.disni.verbs.IbvContext;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvPd;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.IbvQPInitAttr;
import com.ibm.disni.verbs.RdmaCmEvent;
import com.ibm.disni.verbs.RdmaCmId;
import com.ibm.disni.verbs.RdmaProvider;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Verbs by rdma-core: makes it the implementation behind {@code RdmaCm.open()} and {@code RdmaVerbs.open()}, and offers what DiSNI's
 * interface lacks. One for the process, for its whole life. Thread-safe.
 *
 * <p>DiSNI has no setting for its provider: {@code RdmaProvider.provider()} makes its own when first asked, and every object asks. The
 * field in which it keeps it is therefore set before that; if somebody was faster, {@link #open} fails rather than mix the two.
 */
public final class RdmaCore {
    private static final Logger LOG = LoggerFactory.getLogger(RdmaCore.class);

    /** Of enum ibv_qp_attr_mask. */
    private static final int QP_ATTRIBUTE_STATE = 1;

    /** Guarded by the class. */
    private static @Nullable RdmaCore instance;

    /** Why not; guarded by the class. */
    private static @Nullable String failure;

    private final Libraries libraries;
    private final RdmaCoreProvider provider;
    private final List<String> devices;

    private RdmaCore(Libraries libraries, List<String> devices) {
        this.libraries = libraries;
        this.provider = new RdmaCoreProvider(libraries);
        this.devices = devices;
    }

    /**
     * @throws VerbsUnavailableException without libraries, without a device, or when DiSNI's own provider is in use; whoever wanted
     *     RDMA says so
     */
    public static RdmaCore open() throws VerbsUnavailableException {
        synchronized (RdmaCore.class) {
            if (failure != null) {
                throw new VerbsUnavailableException(failure);
            }
            RdmaCore core = instance;
            if (core == null) {
                try {
                    core = load();
                    instance = core;
                    LOG.info("RDMA by rdma-core, devices {}", core.devices);
                } catch (VerbsUnavailableException e) {
                    failure = String.valueOf(e.getMessage());
                    LOG.debug("RDMA is unavailable: {}", e.getMessage());
                    throw e;
                }
            }
            return core;
        }
    }

    private static RdmaCore load() throws VerbsUnavailableException {
        Libraries libraries = Libraries.get();
        List<String> devices;
        try {
            devices = DeviceQueries.devices(libraries);
        } catch (VerbsException e) {
            throw new VerbsUnavailableException("RDMA devices cannot be listed: " + e.getMessage());
        }
        if (devices.isEmpty()) {
            throw new VerbsUnavailableException("this host has no RDMA device");
        }
        RdmaCore core = new RdmaCore(libraries, devices);
        install(core.provider);
        return core;
    }

    private static void install(RdmaCoreProvider provider) throws VerbsUnavailableException {
        try {
            VarHandle field = MethodHandles.privateLookupIn(RdmaProvider.class, MethodHandles.lookup())
                    .findStaticVarHandle(RdmaProvider.class, "provider", RdmaProvider.class);
            if (!field.compareAndSet(null, provider)) {
                throw new VerbsUnavailableException("another implementation of DiSNI's interface is in use");
            }
        } catch (NoSuchFieldException | IllegalAccessException e) {
            throw new VerbsUnavailableException("this version of DiSNI keeps its provider elsewhere: " + e);
        }
    }

    /** As they were when this was opened. */
    public List<String> devices() {
        return devices;
    }

    public String name(IbvContext device) throws IOException {
        return DeviceQueries.name(CoreContext.of(device));
    }

    public DeviceAttributes attributes(IbvContext device) throws IOException {
        return DeviceQueries.attributes(CoreContext.of(device).address);
    }

    /** The 16 bytes of an address of a port. */
    public byte[] gid(IbvContext device, int port, int index) throws IOException {
        return DeviceQueries.gid(CoreContext.of(device), port, index);
    }

    /** As {@code regMr}, of memory of any size; {@code IbvMr.getLength()} says 2 GiB - 1 of what is larger. */
    public IbvMr register(IbvPd pd, MemorySegment memory, int access) throws IOException {
        return CoreMr.register((CorePd) pd, memory.address(), memory.byteSize(), access);
    }

    /** Idempotent. When it returns, the keys are dead. */
    public void deregister(IbvMr memory) throws IOException {
        ((CoreMr) memory).deregister();
    }

    public MemoryWindow allocateWindow(IbvPd pd) throws IOException {
        return MemoryWindow.allocate(pd);
    }

    /** As {@code createQP}, of a queue pair that can post {@link RemoteFlush} too. Fails if the library or the device cannot do that. */
    public IbvQP createFlushingQp(RdmaCmId id, IbvPd pd, IbvQPInitAttr attributes) throws IOException {
        return provider.cm().createQP(id, pd, attributes, RemoteFlush.SEND_OPERATION);
    }

    /** Of a queue pair that was made for it. */
    public RemoteFlush flush(IbvQP qp) throws IOException {
        return RemoteFlush.of(qp);
    }

    /** What the peer sent along with its request or answer to connect. */
    public byte[] privateData(RdmaCmEvent event) {
        return ((CoreCmEvent) event).privateData();
    }

    /** Refuses a peer that wants to connect. */
    public void reject(RdmaCmId id, byte[] privateData) throws IOException {
        provider.cm().reject(id, privateData);
    }

    /** Ends all that is under way on a queue pair, and all that will be posted to it, with an error; the peer's requests too. */
    public void moveToError(IbvQP qp) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment attributes = arena.allocate(VerbsLayout.QP_ATTR_BYTES, Long.BYTES);
            attributes.set(JAVA_INT, VerbsLayout.QP_ATTR_STATE, IbvQP.IBV_QPS_ERR);
            libraries.modifyQp.check(((CoreQp) qp).address, attributes.address(), QP_ATTRIBUTE_STATE);
        }
    }
}
