package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import com.ibm.disni.verbs.IbvSendWR;
import com.ibm.disni.verbs.SVCPostSend;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A list of requests, laid out once and posted as often as wanted; fields may be changed in between by {@link #getWrMod}. Executing and
 * changing allocate nothing.
 */
final class CorePostSend extends SVCPostSend {
    private final CoreQp qp;
    /** The requests; behind them their scatter lists; then a pointer to the first one refused. */
    private final MemorySegment memory;

    private final long firstBad;
    private final Request[] requests;
    private boolean valid = true;

    CorePostSend(CoreQp qp, List<IbvSendWR> list) throws IOException {
        if (list.isEmpty()) {
            throw new IllegalArgumentException("nothing to post");
        }
        this.qp = qp;
        long lists = (long) list.size() * VerbsLayout.SEND_WR_BYTES;
        int entries = list.stream().mapToInt(r -> r.getSg_list().size()).sum();
        long bad = lists + (long) entries * VerbsLayout.SGE_BYTES;
        this.memory = Arena.ofAuto().allocate(bad + Long.BYTES, Long.BYTES);
        this.firstBad = memory.address() + bad;
        this.requests = new Request[list.size()];
        for (int i = 0; i < requests.length; i++) {
            IbvSendWR request = list.get(i);
            int count = request.getSg_list().size();
            MemorySegment scatter = memory.asSlice(lists, (long) count * VerbsLayout.SGE_BYTES);
            lists += scatter.byteSize();
            ScatterList.encode(request.getSg_list(), scatter);
            MemorySegment at = memory.asSlice((long) i * VerbsLayout.SEND_WR_BYTES, VerbsLayout.SEND_WR_BYTES);
            boolean last = i == requests.length - 1;
            at.set(JAVA_LONG, VerbsLayout.SEND_WR_NEXT, last ? 0 : at.address() + VerbsLayout.SEND_WR_BYTES);
            encode(request, scatter, at);
            requests[i] = new Request(at, ScatterList.views(scatter, count));
        }
    }

    private static void encode(IbvSendWR in, MemorySegment scatter, MemorySegment out) throws IOException {
        out.set(JAVA_LONG, VerbsLayout.SEND_WR_ID, in.getWr_id());
        out.set(JAVA_LONG, VerbsLayout.SEND_WR_SG_LIST, scatter.address());
        out.set(JAVA_INT, VerbsLayout.SEND_WR_NUM_SGE, in.getSg_list().size());
        out.set(JAVA_INT, VerbsLayout.SEND_WR_OPCODE, in.getOpcode());
        out.set(JAVA_INT, VerbsLayout.SEND_WR_FLAGS, in.getSend_flags());
        out.set(JAVA_INT, VerbsLayout.SEND_WR_IMMEDIATE, in.getImm_data());
        switch (in.getOpcode()) {
            case IbvSendWR.IBV_WR_SEND, IbvSendWR.IBV_WR_SEND_WITH_IMM -> {}
            case IbvSendWR.IBV_WR_RDMA_WRITE, IbvSendWR.IBV_WR_RDMA_WRITE_WITH_IMM, IbvSendWR.IBV_WR_RDMA_READ -> {
                out.set(
                        JAVA_LONG,
                        VerbsLayout.SEND_WR_REMOTE_ADDRESS,
                        in.getRdma().getRemote_addr());
                out.set(JAVA_INT, VerbsLayout.SEND_WR_RKEY, in.getRdma().getRkey());
            }
            default -> throw new IOException("requests with opcode " + in.getOpcode() + " are not supported");
        }
    }

    @Override
    public SVCPostSend execute() throws IOException {
        int error = qp.device.operations.postSend(qp.address, memory.address(), firstBad);
        if (error != 0) {
            throw new VerbsException("ibv_post_send", error);
        }
        return this;
    }

    @Override
    public SendWRMod getWrMod(int index) {
        return requests[index];
    }

    @Override
    public boolean isValid() {
        return valid && qp.isOpen();
    }

    @Override
    public SVCPostSend free() {
        valid = false;
        return this;
    }

    /** One request, changed in place. */
    private static final class Request implements SendWRMod, RdmaMod {
        private final MemorySegment memory;
        private final ScatterList.View[] scatter;

        Request(MemorySegment memory, ScatterList.View[] scatter) {
            this.memory = memory;
            this.scatter = scatter;
        }

        @Override
        public void setWr_id(long id) {
            memory.set(JAVA_LONG, VerbsLayout.SEND_WR_ID, id);
        }

        @Override
        public long getWr_id() {
            return memory.get(JAVA_LONG, VerbsLayout.SEND_WR_ID);
        }

        @Override
        public void setSend_flags(int flags) {
            memory.set(JAVA_INT, VerbsLayout.SEND_WR_FLAGS, flags);
        }

        @Override
        public int getSend_flags() {
            return memory.get(JAVA_INT, VerbsLayout.SEND_WR_FLAGS);
        }

        @Override
        public int getNum_sge() {
            return memory.get(JAVA_INT, VerbsLayout.SEND_WR_NUM_SGE);
        }

        @Override
        public int getOpcode() {
            return memory.get(JAVA_INT, VerbsLayout.SEND_WR_OPCODE);
        }

        @Override
        public RdmaMod getRdmaMod() {
            return this;
        }

        @Override
        public SgeMod getSgeMod(int index) {
            return scatter[index];
        }

        @Override
        public void setRemote_addr(long address) {
            memory.set(JAVA_LONG, VerbsLayout.SEND_WR_REMOTE_ADDRESS, address);
        }

        @Override
        public long getRemote_addr() {
            return memory.get(JAVA_LONG, VerbsLayout.SEND_WR_REMOTE_ADDRESS);
        }

        @Override
        public void setRkey(int key) {
            memory.set(JAVA_INT, VerbsLayout.SEND_WR_RKEY, key);
        }

        @Override
        public int getRkey() {
            return memory.get(JAVA_INT, VerbsLayout.SEND_WR_RKEY);
        }

        /** There is no such field in the structure. */
        @Override
        public void setReserved(int reserved) {
            if (reserved != 0) {
                throw new IllegalArgumentException("reserved is not 0");
            }
        }

        @Override
        public int getReserved() {
            return 0;
        }
    }
}
