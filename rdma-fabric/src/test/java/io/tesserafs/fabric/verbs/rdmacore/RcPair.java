package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;

import com.ibm.disni.verbs.IbvCQ;
import com.ibm.disni.verbs.IbvCompChannel;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvPd;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.IbvQPInitAttr;
import com.ibm.disni.verbs.IbvRecvWR;
import com.ibm.disni.verbs.IbvSendWR;
import com.ibm.disni.verbs.IbvSge;
import com.ibm.disni.verbs.IbvWC;
import com.ibm.disni.verbs.RdmaCm;
import com.ibm.disni.verbs.RdmaCmEvent;
import com.ibm.disni.verbs.RdmaCmEvent.EventType;
import com.ibm.disni.verbs.RdmaCmId;
import com.ibm.disni.verbs.RdmaConnParam;
import com.ibm.disni.verbs.RdmaEventChannel;
import com.ibm.disni.verbs.SVCPollCq;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.LinkedList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Two queue pairs connected through the two devices of this host, by DiSNI's interface alone. */
final class RcPair implements AutoCloseable {
    static final byte[] REQUEST_DATA = {1, 2, 3};
    /** Far longer than a device tries to reach a peer that is gone. */
    private static final int WAIT_MS = 30_000;

    /** The kernel may see an answer to its question for a neighbour only when this has passed. */
    private static final int RESOLVE_MS = 1000;

    /** Of memory, of a request that is sent. */
    static final int MAX_ELEMENTS = 16;

    private static final int DEPTH = 64;
    private static final byte READS = 4;

    final RdmaCore core = RdmaCore.open();
    final End server;
    final End client;
    private final RdmaCmId listening;
    private final RdmaEventChannel serverEvents;

    /** One side: a queue pair with all it needs. */
    static final class End implements AutoCloseable {
        final Arena arena = Arena.ofShared();
        final RdmaCmId id;
        final IbvPd pd;
        final IbvCompChannel channel;
        final IbvCQ cq;
        final IbvQP qp;
        private final IbvWC[] one = {new IbvWC()};
        private final SVCPollCq poll;

        /** @param flushing whose queue pair can post FLUSH; null for one that cannot */
        End(RdmaCmId id, @Nullable RdmaCore flushing) throws IOException {
            this.id = id;
            pd = id.getVerbs().allocPd();
            channel = id.getVerbs().createCompChannel();
            cq = id.getVerbs().createCQ(channel, 2 * DEPTH, 0);
            IbvQPInitAttr attributes = new IbvQPInitAttr();
            attributes.setQp_type(IbvQP.IBV_QPT_RC);
            attributes.setSend_cq(cq);
            attributes.setRecv_cq(cq);
            attributes.cap().setMax_send_wr(DEPTH);
            attributes.cap().setMax_recv_wr(DEPTH);
            attributes.cap().setMax_send_sge(MAX_ELEMENTS);
            attributes.cap().setMax_recv_sge(2);
            qp = flushing == null ? id.createQP(pd, attributes) : flushing.createFlushingQp(id, pd, attributes);
            poll = cq.poll(one, 1);
        }

        MemorySegment memory(long bytes) {
            return arena.allocate(bytes, 4096);
        }

        IbvMr register(MemorySegment memory, int access) throws IOException {
            return pd.regMr(memory.address(), (int) memory.byteSize(), access)
                    .execute()
                    .getMr();
        }

        /** The next completion of this side. */
        IbvWC next() throws IOException {
            long deadline = System.nanoTime() + WAIT_MS * 1_000_000L;
            while (poll.execute().getPolls() == 0) {
                if (System.nanoTime() > deadline) {
                    throw new AssertionError("no completion within " + WAIT_MS + " ms");
                }
                Thread.onSpinWait();
            }
            return one[0];
        }

        IbvSendWR rdma(int opcode, IbvMr local, long remote, int rkey) {
            IbvSendWR request = request(opcode, local);
            request.getRdma().setRemote_addr(remote);
            request.getRdma().setRkey(rkey);
            return request;
        }

        IbvSendWR request(int opcode, IbvMr local) {
            IbvSendWR request = new IbvSendWR();
            request.setOpcode(opcode);
            request.setSend_flags(IbvSendWR.IBV_SEND_SIGNALED);
            request.setSg_list(scatter(local));
            request.setNum_sge(1);
            return request;
        }

        /** Posts and returns the status of its completion. */
        int run(IbvSendWR request) throws IOException {
            qp.postSend(List.of(request), null).execute().free();
            return next().getStatus();
        }

        void receive(IbvMr into) throws IOException {
            IbvRecvWR request = new IbvRecvWR();
            request.setWr_id(77);
            request.setSg_list(scatter(into));
            request.setNum_sge(1);
            qp.postRecv(List.of(request), null).execute().free();
        }

        @SuppressWarnings({"JdkObsolete", "NonApiType"}) // what DiSNI's interface takes
        private static LinkedList<IbvSge> scatter(IbvMr memory) {
            return new LinkedList<>(List.of(sge(memory)));
        }

        private static IbvSge sge(IbvMr memory) {
            IbvSge sge = new IbvSge();
            sge.setAddr(memory.getAddr());
            sge.setLength(memory.getLength());
            sge.setLkey(memory.getLkey());
            return sge;
        }

        @Override
        public void close() throws IOException {
            id.destroyQP();
            cq.destroyCQ();
            channel.destroyCompChannel();
            id.destroyId();
            try {
                pd.deallocPd();
            } catch (Exception e) {
                throw new IOException("something is registered still", e);
            }
            arena.close();
        }
    }

    RcPair() throws IOException {
        this(false);
    }

    /** @param flushing whether the client can post FLUSH */
    RcPair(boolean flushing) throws IOException {
        InetAddress here = InetAddress.getByName(System.getProperty("tessera.rdma.target", "10.77.0.1"));
        InetAddress there = InetAddress.getByName(System.getProperty("tessera.rdma.initiator", "10.77.0.2"));
        serverEvents = RdmaEventChannel.createEventChannel();
        listening = serverEvents.createId(RdmaCm.RDMA_PS_TCP);
        listening.bindAddr(new InetSocketAddress(here, 0));
        listening.listen(4);
        int port = ((InetSocketAddress) listening.getSource()).getPort();

        RdmaEventChannel clientEvents = RdmaEventChannel.createEventChannel();
        RdmaCmId id = clientEvents.createId(RdmaCm.RDMA_PS_TCP);
        id.resolveAddr(new InetSocketAddress(there, 0), new InetSocketAddress(here, port), RESOLVE_MS);
        expect(clientEvents, EventType.RDMA_CM_EVENT_ADDR_RESOLVED).ackEvent();
        id.resolveRoute(RESOLVE_MS);
        expect(clientEvents, EventType.RDMA_CM_EVENT_ROUTE_RESOLVED).ackEvent();
        client = new End(id, flushing ? core : null);
        try (Arena arena = Arena.ofConfined()) {
            RdmaConnParam parameters = parameters();
            parameters.setPrivate_data(
                    arena.allocateFrom(JAVA_BYTE, REQUEST_DATA).address());
            parameters.setPrivate_data_len((byte) REQUEST_DATA.length);
            id.connect(parameters);
        }
        RdmaCmEvent request = expect(serverEvents, EventType.RDMA_CM_EVENT_CONNECT_REQUEST);
        assertThat(core.privateData(request)).startsWith(REQUEST_DATA);
        server = new End(request.getConnIdPriv(), null);
        request.ackEvent();
        server.id.accept(parameters());
        expect(clientEvents, EventType.RDMA_CM_EVENT_ESTABLISHED).ackEvent();
        expect(serverEvents, EventType.RDMA_CM_EVENT_ESTABLISHED).ackEvent();
    }

    private static RdmaConnParam parameters() {
        ConnectionParameters parameters = new ConnectionParameters();
        parameters.setResponder_resources(READS);
        parameters.setInitiator_depth(READS);
        return parameters;
    }

    @SuppressWarnings("EnumOrdinal") // as numbered by librdmacm
    private static RdmaCmEvent expect(RdmaEventChannel events, EventType wanted) throws IOException {
        RdmaCmEvent event = events.getCmEvent(WAIT_MS);
        assertThat(event).as("%s", wanted).isNotNull();
        assertThat(event.getEvent())
                .as("%s, status %d", wanted, event.getStatus())
                .isEqualTo(wanted.ordinal());
        return event;
    }

    @Override
    public void close() throws IOException {
        RdmaEventChannel clientEvents = client.id.getCmChannel();
        client.id.disconnect();
        client.close();
        clientEvents.destroyEventChannel();
        server.close();
        listening.destroyId();
        serverEvents.destroyEventChannel();
    }
}
