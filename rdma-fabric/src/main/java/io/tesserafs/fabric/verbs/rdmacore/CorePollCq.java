package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import com.ibm.disni.verbs.IbvWC;
import com.ibm.disni.verbs.SVCPollCq;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Takes completions off a queue. Allocates nothing when executed. */
final class CorePollCq extends SVCPollCq {
    private final CoreCq cq;
    private final IbvWC[] completions;
    private final MemorySegment memory;
    private boolean valid = true;
    private int taken;

    CorePollCq(CoreCq cq, IbvWC[] completions, int max) {
        if (max < 1 || max > completions.length) {
            throw new IllegalArgumentException("room for " + completions.length + " completions, not " + max);
        }
        this.cq = cq;
        this.completions = completions.clone();
        this.memory = Arena.ofAuto().allocate((long) max * VerbsLayout.WC_BYTES, Long.BYTES);
        for (IbvWC completion : completions) {
            if (completion == null) {
                throw new IllegalArgumentException("a completion to be filled is null");
            }
        }
    }

    @Override
    public SVCPollCq execute() throws IOException {
        int max = (int) (memory.byteSize() / VerbsLayout.WC_BYTES);
        taken = 0;
        int count = cq.device.operations.poll(cq.address, max, memory.address());
        if (count < 0) {
            throw new IOException("ibv_poll_cq failed");
        }
        for (int i = 0; i < count; i++) {
            take(i * VerbsLayout.WC_BYTES, completions[i]);
        }
        taken = count;
        return this;
    }

    private void take(int at, IbvWC out) {
        out.setWr_id(memory.get(JAVA_LONG, at + VerbsLayout.WC_ID));
        out.setStatus(memory.get(JAVA_INT, at + VerbsLayout.WC_STATUS));
        out.setOpcode(memory.get(JAVA_INT, at + VerbsLayout.WC_OPCODE));
        out.setVendor_err(memory.get(JAVA_INT, at + VerbsLayout.WC_VENDOR_ERROR));
        out.setByte_len(memory.get(JAVA_INT, at + VerbsLayout.WC_BYTES_MOVED));
        out.setImm_data(memory.get(JAVA_INT, at + VerbsLayout.WC_IMMEDIATE));
        out.setQp_num(memory.get(JAVA_INT, at + VerbsLayout.WC_QP_NUMBER));
        out.setSrc_qp(memory.get(JAVA_INT, at + VerbsLayout.WC_SOURCE_QP));
        out.setWc_flags(memory.get(JAVA_INT, at + VerbsLayout.WC_FLAGS));
    }

    /** Of the last execution. */
    @Override
    public int getPolls() {
        return taken;
    }

    @Override
    public boolean isValid() {
        return valid && cq.isOpen();
    }

    @Override
    public SVCPollCq free() {
        valid = false;
        return this;
    }
}
