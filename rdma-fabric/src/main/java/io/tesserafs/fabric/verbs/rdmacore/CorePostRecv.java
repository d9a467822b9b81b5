package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import com.ibm.disni.verbs.IbvRecvWR;
import com.ibm.disni.verbs.SVCPostRecv;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** A list of buffers for messages to come, laid out once and posted as often as wanted. Executing allocates nothing. */
final class CorePostRecv extends SVCPostRecv {
    private final CoreQp qp;
    /** As of {@link CorePostSend}. */
    private final MemorySegment memory;

    private final long firstBad;
    private final Request[] requests;
    private boolean valid = true;

    CorePostRecv(CoreQp qp, List<IbvRecvWR> list) {
        if (list.isEmpty()) {
            throw new IllegalArgumentException("nothing to post");
        }
        this.qp = qp;
        long lists = (long) list.size() * VerbsLayout.RECV_WR_BYTES;
        int entries = list.stream().mapToInt(r -> r.getSg_list().size()).sum();
        long bad = lists + (long) entries * VerbsLayout.SGE_BYTES;
        this.memory = Arena.ofAuto().allocate(bad + Long.BYTES, Long.BYTES);
        this.firstBad = memory.address() + bad;
        this.requests = new Request[list.size()];
        for (int i = 0; i < requests.length; i++) {
            IbvRecvWR request = list.get(i);
            int count = request.getSg_list().size();
            MemorySegment scatter = memory.asSlice(lists, (long) count * VerbsLayout.SGE_BYTES);
            lists += scatter.byteSize();
            ScatterList.encode(request.getSg_list(), scatter);
            MemorySegment at = memory.asSlice((long) i * VerbsLayout.RECV_WR_BYTES, VerbsLayout.RECV_WR_BYTES);
            boolean last = i == requests.length - 1;
            at.set(JAVA_LONG, VerbsLayout.RECV_WR_ID, request.getWr_id());
            at.set(JAVA_LONG, VerbsLayout.RECV_WR_NEXT, last ? 0 : at.address() + VerbsLayout.RECV_WR_BYTES);
            at.set(JAVA_LONG, VerbsLayout.RECV_WR_SG_LIST, scatter.address());
            at.set(JAVA_INT, VerbsLayout.RECV_WR_NUM_SGE, count);
            requests[i] = new Request(request.getWr_id());
        }
    }

    @Override
    public SVCPostRecv execute() throws IOException {
        int error = qp.device.operations.postReceive(qp.address, memory.address(), firstBad);
        if (error != 0) {
            throw new VerbsException("ibv_post_recv", error);
        }
        return this;
    }

    @Override
    public RecvWRMod getWrMod(int index) {
        return requests[index];
    }

    @Override
    public boolean isValid() {
        return valid && qp.isOpen();
    }

    @Override
    public SVCPostRecv free() {
        valid = false;
        return this;
    }

    private record Request(long id) implements RecvWRMod {
        @Override
        public long getWr_id() {
            return id;
        }
    }
}
