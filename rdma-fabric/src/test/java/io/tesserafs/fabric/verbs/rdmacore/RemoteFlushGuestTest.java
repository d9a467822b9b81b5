package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvSendWR;
import com.ibm.disni.verbs.IbvWC;
import com.ibm.disni.verbs.IbvWC.IbvWcStatus;
import com.sun.management.ThreadMXBean;
import io.tesserafs.fabric.pmem.DaxDevices;
import io.tesserafs.fabric.pmem.Pool;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** FLUSH to persistent memory, where devices do it: soft-RoCE since Linux 6.2, the libraries since rdma-core 45. */
@Tag("rdma")
@Timeout(120)
class RemoteFlushGuestTest {
    private static final int REMOTE =
            IbvMr.IBV_ACCESS_LOCAL_WRITE | IbvMr.IBV_ACCESS_REMOTE_WRITE | IbvMr.IBV_ACCESS_REMOTE_READ;
    private static final int WINDOW = IbvMr.IBV_ACCESS_LOCAL_WRITE | IbvMr.IBV_ACCESS_MW_BIND;

    /** Of enum ibv_wc_opcode. */
    private static final int WC_FLUSH = 8;

    private static final int BYTES = 10_000;
    private static final int WARM_UP = 10_000;
    private static final int MEASURED = 1000;

    private RcPair pair;
    private RemoteFlush flush;
    private Pool pool;
    private MemorySegment block;
    private MemorySegment from;
    private IbvMr fromMr;

    @BeforeEach
    void connect() throws Exception {
        DeviceAttributes attributes = DeviceSurvey.all().getFirst().attributes().orElseThrow();
        assumeTrue(attributes.flushes(), "the RDMA device does no FLUSH");
        try {
            pair = new RcPair(true);
        } catch (IOException e) {
            abort("the libraries do no FLUSH: " + e.getMessage());
        }
        flush = pair.core.flush(pair.client.qp);
        Pool.create(DaxDevices.wiped(DaxDevices.FIRST), Pool.MIN_BYTES, "test", 1);
        pool = Pool.open(DaxDevices.FIRST);
        block = pool.block(0);
        block.fill((byte) 0);
        from = pair.client.memory(BYTES).fill((byte) 42);
        fromMr = pair.client.register(from, 0);
    }

    @AfterEach
    void disconnect() throws Exception {
        if (pool != null) {
            pair.core.deregister(fromMr);
            pair.close();
            pool.close();
        }
    }

    @SuppressWarnings("EnumOrdinal") // as numbered by libibverbs
    private static int status(IbvWcStatus status) {
        return status.ordinal();
    }

    private int write(long remote, int key) throws Exception {
        return pair.client.run(pair.client.rdma(IbvSendWR.IBV_WR_RDMA_WRITE, fromMr, remote, key));
    }

    private int flush(long remote, int key, long bytes) throws Exception {
        flush.post(99, remote, key, bytes, true);
        IbvWC completion = pair.client.next();
        assertThat(completion.getWr_id()).isEqualTo(99);
        return completion.getStatus();
    }

    /** Persistent is what nobody can see here; the rest is. */
    @Test
    void shouldFlushWhatWasWritten() throws Exception {
        IbvMr target = pair.core.register(pair.server.pd, block, REMOTE | RemoteFlush.ACCESS);
        assertThat(write(target.getAddr() + 1000, target.getRkey())).isEqualTo(status(IbvWcStatus.IBV_WC_SUCCESS));
        flush.post(7, target.getAddr() + 1000, target.getRkey(), BYTES, true);
        IbvWC completion = pair.client.next();
        assertThat(completion.getStatus()).isEqualTo(status(IbvWcStatus.IBV_WC_SUCCESS));
        assertThat(completion.getWr_id()).isEqualTo(7);
        assertThat(completion.getOpcode()).isEqualTo(WC_FLUSH);
        assertThat(block.asSlice(1000, BYTES).mismatch(from)).isEqualTo(-1);
        assertThat(flush(target.getAddr(), target.getRkey(), block.byteSize()))
                .as("a whole block")
                .isEqualTo(status(IbvWcStatus.IBV_WC_SUCCESS));
        pair.core.deregister(target);
    }

    @Test
    void shouldFlushThroughAWindow() throws Exception {
        IbvMr beneath = pair.core.register(pair.server.pd, block, WINDOW | RemoteFlush.ACCESS);
        try (MemoryWindow window = pair.core.allocateWindow(pair.server.pd)) {
            int access = IbvMr.IBV_ACCESS_REMOTE_WRITE | RemoteFlush.ACCESS;
            window.bind(pair.server.qp, beneath, block.address(), block.byteSize(), access, 1);
            assertThat(pair.server.next().getStatus()).isEqualTo(status(IbvWcStatus.IBV_WC_SUCCESS));
            assertThat(write(block.address(), window.rkey())).isEqualTo(status(IbvWcStatus.IBV_WC_SUCCESS));
            assertThat(flush(block.address(), window.rkey(), BYTES)).isEqualTo(status(IbvWcStatus.IBV_WC_SUCCESS));
            window.invalidate(pair.server.qp, 2);
            assertThat(pair.server.next().getStatus()).isEqualTo(status(IbvWcStatus.IBV_WC_SUCCESS));
            assertThat(flush(block.address(), window.rkey(), BYTES))
                    .as("after the window was invalidated")
                    .isEqualTo(status(IbvWcStatus.IBV_WC_REM_ACCESS_ERR));
        }
        pair.core.deregister(beneath);
    }

    @Test
    void shouldBeRefusedThroughAWindowWithoutTheRight() throws Exception {
        IbvMr beneath = pair.core.register(pair.server.pd, block, WINDOW | RemoteFlush.ACCESS);
        try (MemoryWindow window = pair.core.allocateWindow(pair.server.pd)) {
            int access = IbvMr.IBV_ACCESS_REMOTE_WRITE | IbvMr.IBV_ACCESS_REMOTE_READ;
            window.bind(pair.server.qp, beneath, block.address(), block.byteSize(), access, 1);
            assertThat(pair.server.next().getStatus()).isEqualTo(status(IbvWcStatus.IBV_WC_SUCCESS));
            assertThat(flush(block.address(), window.rkey(), BYTES))
                    .isEqualTo(status(IbvWcStatus.IBV_WC_REM_ACCESS_ERR));
        }
        pair.core.deregister(beneath);
    }

    @Test
    void shouldBeRefusedByMemoryWithoutTheRight() throws Exception {
        IbvMr target = pair.core.register(pair.server.pd, block, REMOTE);
        assertThat(write(target.getAddr(), target.getRkey())).isEqualTo(status(IbvWcStatus.IBV_WC_SUCCESS));
        assertThat(flush(target.getAddr(), target.getRkey(), BYTES))
                .isEqualTo(status(IbvWcStatus.IBV_WC_REM_ACCESS_ERR));
        pair.core.deregister(target);
    }

    @Test
    void shouldBeRefusedWithADeadKey() throws Exception {
        IbvMr target = pair.core.register(pair.server.pd, block, REMOTE | RemoteFlush.ACCESS);
        long address = target.getAddr();
        assertThat(flush(address, target.getRkey(), BYTES)).isEqualTo(status(IbvWcStatus.IBV_WC_SUCCESS));
        pair.core.deregister(target);
        assertThat(flush(address, target.getRkey(), BYTES)).isEqualTo(status(IbvWcStatus.IBV_WC_REM_ACCESS_ERR));
        assertThat(block.mismatch(MemorySegment.ofArray(new byte[(int) block.byteSize()])))
                .isEqualTo(-1);
    }

    @Test
    void shouldBeRefusedBeyondTheMemory() throws Exception {
        IbvMr target = pair.core.register(pair.server.pd, block, REMOTE | RemoteFlush.ACCESS);
        assertThat(flush(target.getAddr() + 1, target.getRkey(), block.byteSize()))
                .isEqualTo(status(IbvWcStatus.IBV_WC_REM_ACCESS_ERR));
        pair.core.deregister(target);
    }

    @Test
    void shouldNotBeGrantedToMemoryThatForgets() {
        MemorySegment memory = pair.server.memory(1 << 20);
        assertThatThrownBy(() -> pair.core.register(pair.server.pd, memory, REMOTE | RemoteFlush.ACCESS))
                .isInstanceOf(IOException.class);
    }

    @Test
    void shouldAllocateNothingPerFlush() throws Exception {
        IbvMr target = pair.core.register(pair.server.pd, block, REMOTE | RemoteFlush.ACCESS);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        run(target, WARM_UP);
        long before = threads.getCurrentThreadAllocatedBytes();
        run(target, MEASURED);
        long bytes = threads.getCurrentThreadAllocatedBytes() - before;
        assertThat(bytes).as("bytes in %d operations", MEASURED).isLessThan(MEASURED);
        pair.core.deregister(target);
    }

    private void run(IbvMr target, int times) throws Exception {
        for (int i = 0; i < times; i++) {
            flush.post(i, target.getAddr(), target.getRkey(), 1 + i % 64, true);
            IbvWC completion = pair.client.next();
            if (completion.getStatus() != 0 || completion.getWr_id() != i) {
                throw new AssertionError("operation " + i + ": status " + completion.getStatus());
            }
        }
        assertThat(block.get(JAVA_BYTE, 0)).isZero();
    }
}
