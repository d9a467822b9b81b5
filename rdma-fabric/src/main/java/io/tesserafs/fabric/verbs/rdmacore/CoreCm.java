package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import com.ibm.disni.verbs.IbvPd;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.IbvQPInitAttr;
import com.ibm.disni.verbs.RdmaCm;
import com.ibm.disni.verbs.RdmaCmEvent;
import com.ibm.disni.verbs.RdmaCmId;
import com.ibm.disni.verbs.RdmaConnParam;
import com.ibm.disni.verbs.RdmaEventChannel;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.SocketAddress;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Connection management over librdmacm. Thread-safe as far as that is: an id is used by one thread at a time. */
final class CoreCm extends RdmaCm {
    private static final Logger LOG = LoggerFactory.getLogger(CoreCm.class);

    /** Of enum rdma_cm_event_type. */
    private static final int CONNECT_REQUEST = 4;

    /** Of enum ibv_qp_init_attr_mask. */
    private static final int INIT_PD = 1;

    private static final int INIT_SEND_OPERATIONS = 1 << 6;

    private final Libraries libraries;

    CoreCm(Libraries libraries) {
        this.libraries = libraries;
    }

    @Override
    public RdmaEventChannel createEventChannel() throws IOException {
        CoreEventChannel channel = new CoreEventChannel(libraries.createEventChannel.pointer());
        try {
            Descriptors.neverBlock(channel.fd);
        } catch (VerbsException e) {
            destroyEventChannel(channel);
            throw e;
        }
        return channel;
    }

    @Override
    public RdmaCmId createId(RdmaEventChannel channel, short portSpace) throws IOException {
        CoreEventChannel of = open(channel);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            libraries.createId.check(of.address, out.address(), 0, portSpace);
            return enter(of, out.get(JAVA_LONG, 0));
        }
    }

    private static CoreCmId enter(CoreEventChannel channel, long address) throws IOException {
        CoreCmId id = new CoreCmId(channel, address);
        channel.ids.put(address, id);
        return id;
    }

    /** Only of the type RC. {@code attributes} are left as they are, though the device may give more than was asked for. */
    @Override
    public IbvQP createQP(RdmaCmId id, IbvPd pd, IbvQPInitAttr attributes) throws IOException {
        return createQP(id, pd, attributes, 0);
    }

    /**
     * @param sendOperations bits of enum ibv_qp_create_send_ops_flags: what is to be posted by the functions of the queue pair itself,
     *     besides what can be posted to all
     */
    IbvQP createQP(RdmaCmId id, IbvPd pd, IbvQPInitAttr attributes, long sendOperations) throws IOException {
        CoreCmId of = open(id);
        CorePd domain = (CorePd) pd;
        CoreCq sendCq = (CoreCq) attributes.getSend_cq();
        CoreCq receiveCq = (CoreCq) attributes.getRecv_cq();
        if (attributes.getQp_type() != IbvQP.IBV_QPT_RC) {
            throw new IOException("queue pairs of type " + attributes.getQp_type() + " are not supported, only RC");
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment init = arena.allocate(VerbsLayout.INIT_EX_BYTES, Long.BYTES);
            init.set(JAVA_LONG, VerbsLayout.INIT_SEND_CQ, sendCq.address);
            init.set(JAVA_LONG, VerbsLayout.INIT_RECV_CQ, receiveCq.address);
            init.set(JAVA_LONG, VerbsLayout.INIT_SRQ, attributes.getSrq());
            init.set(JAVA_INT, VerbsLayout.INIT_MAX_SEND_WR, attributes.cap().getMax_send_wr());
            init.set(JAVA_INT, VerbsLayout.INIT_MAX_RECV_WR, attributes.cap().getMax_recv_wr());
            init.set(JAVA_INT, VerbsLayout.INIT_MAX_SEND_SGE, attributes.cap().getMax_send_sge());
            init.set(JAVA_INT, VerbsLayout.INIT_MAX_RECV_SGE, attributes.cap().getMax_recv_sge());
            init.set(JAVA_INT, VerbsLayout.INIT_MAX_INLINE, attributes.cap().getMax_inline_data());
            init.set(JAVA_INT, VerbsLayout.INIT_QP_TYPE, CoreQp.RELIABLE_CONNECTED);
            init.set(JAVA_INT, VerbsLayout.INIT_SIGNAL_ALL, attributes.getSq_sig_all());
            if (sendOperations == 0) {
                libraries.createQp.check(of.address, domain.address, init.address());
            } else if (libraries.createQpEx == null) {
                throw new IOException("the libraries of rdma-core are too old for queue pairs with more operations");
            } else {
                init.set(JAVA_INT, VerbsLayout.INIT_EX_MASK, INIT_PD | INIT_SEND_OPERATIONS);
                init.set(JAVA_LONG, VerbsLayout.INIT_EX_PD, domain.address);
                init.set(JAVA_LONG, VerbsLayout.INIT_EX_SEND_OPERATIONS, sendOperations);
                libraries.createQpEx.check(of.address, init.address());
            }
        }
        CoreQp qp = new CoreQp(domain, sendCq, receiveCq, NativeMemory.getLong(of.address + VerbsLayout.CM_ID_QP));
        of.attach(qp);
        return qp;
    }

    @Override
    public void bindAddr(RdmaCmId id, SocketAddress address) throws IOException {
        CoreCmId of = open(id);
        try (Arena arena = Arena.ofConfined()) {
            libraries.bindAddr.check(
                    of.address, SocketAddresses.allocate(arena, address).address());
        }
        of.refresh();
    }

    @Override
    public void listen(RdmaCmId id, int backlog) throws IOException {
        libraries.listen.check(open(id).address, backlog);
    }

    /** @param source may be null; with several devices on one network, which one is taken is then up to routing */
    @Override
    public void resolveAddr(RdmaCmId id, @Nullable SocketAddress source, SocketAddress destination, int timeoutMs)
            throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            long from =
                    source == null ? 0 : SocketAddresses.allocate(arena, source).address();
            long to = SocketAddresses.allocate(arena, destination).address();
            libraries.resolveAddr.check(open(id).address, from, to, timeoutMs);
        }
    }

    @Override
    public void resolveRoute(RdmaCmId id, int timeoutMs) throws IOException {
        libraries.resolveRoute.check(open(id).address, timeoutMs);
    }

    /** Null if none came in time; a negative time has no end. */
    @Override
    public @Nullable RdmaCmEvent getCmEvent(RdmaEventChannel channel, int timeoutMs) throws IOException {
        CoreEventChannel of = open(channel);
        long deadlineNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMs);
        int leftMs = timeoutMs;
        do {
            long event = Descriptors.awaitReadable(of.fd, leftMs) ? takeEvent(of) : 0;
            if (event != 0) {
                return describe(of, event);
            }
            if (timeoutMs >= 0) {
                leftMs = (int) TimeUnit.NANOSECONDS.toMillis(Math.max(0, deadlineNs - System.nanoTime()));
            }
        } while (leftMs != 0);
        return null;
    }

    /** Returns 0 if the event is gone: with its id, which another thread destroyed meanwhile. */
    private long takeEvent(CoreEventChannel channel) throws VerbsException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            libraries.getCmEvent.check(channel.address, out.address());
            return out.get(JAVA_LONG, 0);
        } catch (VerbsException e) {
            if (e.errno() == Errors.EAGAIN) {
                return 0;
            }
            throw e;
        }
    }

    private static CoreCmEvent describe(CoreEventChannel of, long event) throws IOException {
        long listening = NativeMemory.getLong(event + VerbsLayout.CM_EVENT_LISTEN_ID);
        long address = NativeMemory.getLong(event + VerbsLayout.CM_EVENT_ID);
        CoreCmId id;
        if (NativeMemory.getInt(event + VerbsLayout.CM_EVENT_KIND) == CONNECT_REQUEST) {
            id = enter(of, address);
        } else {
            CoreCmId known = of.ids.get(address);
            // One that is being destroyed is not known any more; it stays until this event is acknowledged.
            id = known == null ? new CoreCmId(of, address) : known;
        }
        id.refresh();
        return new CoreCmEvent(event, listening == 0 ? null : of.ids.get(listening), id);
    }

    @Override
    public void connect(RdmaCmId id, RdmaConnParam parameters) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            libraries.connect.check(open(id).address, encode(arena, parameters).address());
        }
    }

    @Override
    public void accept(RdmaCmId id, RdmaConnParam parameters) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            libraries.accept.check(open(id).address, encode(arena, parameters).address());
        }
    }

    private static MemorySegment encode(Arena arena, RdmaConnParam in) {
        MemorySegment out = arena.allocate(VerbsLayout.CONN_PARAM_BYTES, Long.BYTES);
        out.set(JAVA_LONG, VerbsLayout.CONN_PARAM_PRIVATE_DATA, in.getPrivate_data());
        out.set(JAVA_BYTE, VerbsLayout.CONN_PARAM_PRIVATE_DATA_LENGTH, in.getPrivate_data_len());
        out.set(JAVA_BYTE, VerbsLayout.CONN_PARAM_RESPONDER_RESOURCES, in.getResponder_resources());
        out.set(JAVA_BYTE, VerbsLayout.CONN_PARAM_INITIATOR_DEPTH, in.getInitiator_depth());
        out.set(JAVA_BYTE, VerbsLayout.CONN_PARAM_FLOW_CONTROL, in.getFlow_control());
        out.set(JAVA_BYTE, VerbsLayout.CONN_PARAM_RETRY_COUNT, in.getRetry_count());
        out.set(JAVA_BYTE, VerbsLayout.CONN_PARAM_RNR_RETRY_COUNT, in.getRnr_retry_count());
        out.set(JAVA_BYTE, VerbsLayout.CONN_PARAM_SRQ, in.getSrq());
        out.set(JAVA_INT, VerbsLayout.CONN_PARAM_QP_NUMBER, in.getQp_num());
        return out;
    }

    /** Refuses a peer that wants to connect. */
    void reject(RdmaCmId id, byte[] privateData) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocateFrom(JAVA_BYTE, privateData);
            libraries.reject.check(open(id).address, data.address(), privateData.length);
        }
    }

    @Override
    public int ackCmEvent(RdmaCmEvent event) {
        try {
            ((CoreCmEvent) event).acknowledge();
            return 0;
        } catch (IOException e) {
            LOG.warn("an event of a connection cannot be acknowledged: {}", e.getMessage());
            return -1;
        }
    }

    @Override
    public int disconnect(RdmaCmId id) throws IOException {
        libraries.disconnect.check(open(id).address);
        return 0;
    }

    /** After its ids, which use it. */
    @Override
    public int destroyEventChannel(RdmaEventChannel channel) throws IOException {
        CoreEventChannel of = open(channel);
        if (!of.ids.isEmpty()) {
            throw new IOException("the event channel is still used by " + of.ids.size() + " connections or listeners");
        }
        of.close();
        libraries.destroyEventChannel.run(of.address);
        return 0;
    }

    /** After its queue pair; waits until its events are acknowledged. */
    @Override
    public int destroyCmId(RdmaCmId id) throws IOException {
        CoreCmId of = open(id);
        of.close();
        try {
            libraries.destroyId.check(of.address);
        } finally {
            of.channel.ids.remove(of.address, of); // last: until then it uses the channel
        }
        return 0;
    }

    @Override
    public int destroyQP(RdmaCmId id) throws IOException {
        CoreCmId of = open(id);
        IbvQP qp = of.detach();
        if (qp != null && qp.isOpen()) {
            qp.close();
            libraries.destroyQp.run(of.address);
        }
        return 0;
    }

    @Override
    public SocketAddress getSrcAddr(RdmaCmId id) throws IOException {
        return SocketAddresses.read(
                NativeMemory.getBytes(open(id).address + VerbsLayout.CM_ID_SOURCE, SocketAddresses.bytes()));
    }

    @Override
    public SocketAddress getDstAddr(RdmaCmId id) throws IOException {
        return SocketAddresses.read(
                NativeMemory.getBytes(open(id).address + VerbsLayout.CM_ID_DESTINATION, SocketAddresses.bytes()));
    }

    @Override
    public int destroyEp(RdmaCmId id) throws IOException {
        destroyQP(id);
        return destroyCmId(id);
    }

    private static CoreCmId open(RdmaCmId id) throws IOException {
        if (!id.isOpen()) {
            throw new IOException("the connection's id was destroyed");
        }
        return (CoreCmId) id;
    }

    private static CoreEventChannel open(RdmaEventChannel channel) throws IOException {
        if (!channel.isOpen()) {
            throw new IOException("the event channel was destroyed");
        }
        return (CoreEventChannel) channel;
    }
}
