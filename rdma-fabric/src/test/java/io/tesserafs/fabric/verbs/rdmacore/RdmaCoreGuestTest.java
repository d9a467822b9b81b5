package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvSendWR;
import com.ibm.disni.verbs.IbvWC;
import com.ibm.disni.verbs.IbvWC.IbvWcStatus;
import com.ibm.disni.verbs.RdmaCm;
import com.ibm.disni.verbs.RdmaCmId;
import com.ibm.disni.verbs.RdmaEventChannel;
import com.ibm.disni.verbs.SVCPostSend;
import com.ibm.disni.verbs.SVCReqNotify;
import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** On real devices, or what passes for such. */
@Tag("rdma")
@Timeout(120)
class RdmaCoreGuestTest {
    private static final int REMOTE =
            IbvMr.IBV_ACCESS_LOCAL_WRITE | IbvMr.IBV_ACCESS_REMOTE_WRITE | IbvMr.IBV_ACCESS_REMOTE_READ;

    /** Enough for the compiler to have seen to it. */
    private static final int WARM_UP = 30_000;

    private static final int MEASURED = 1000;

    private RcPair pair;

    @BeforeEach
    void connect() throws Exception {
        pair = new RcPair();
    }

    @AfterEach
    void disconnect() throws Exception {
        if (pair != null) {
            pair.close();
        }
    }

    @SuppressWarnings("EnumOrdinal") // as numbered by libibverbs
    private static int status(IbvWcStatus status) {
        return status.ordinal();
    }

    @Test
    void shouldKnowTheDevicesAndWhatTheyCan() throws Exception {
        assertThat(pair.core.devices()).contains("rxe0", "rxe1");
        assertThat(pair.core.name(pair.server.id.getVerbs())).isEqualTo("rxe0");
        assertThat(pair.core.name(pair.client.id.getVerbs())).isEqualTo("rxe1");
        DeviceAttributes attributes = pair.core.attributes(pair.server.id.getVerbs());
        System.out.println(attributes);
        assertThat(attributes.maxQueuePairs()).isPositive();
        assertThat(Long.compareUnsigned(attributes.maxMemoryBytes(), 1 << 30)).isPositive();
        assertThat(attributes.maxReads()).isPositive();
        assertThat(attributes.ports()).isEqualTo(1);
        assertThat(attributes.bindsWindowsToQueuePairs()).isTrue();
        // Soft-RoCE does it since Linux 6.15.
        String[] linux = System.getProperty("os.version").split("\\.", 3);
        int release = Integer.parseInt(linux[0]) * 1000 + Integer.parseInt(linux[1]);
        assertThat(attributes.odpForConnected() != 0).isEqualTo(release >= 6015);
        byte[] gid = pair.core.gid(pair.server.id.getVerbs(), 1, 1);
        assertThat(gid).startsWith(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff).endsWith(10, 77, 0, 1);
    }

    @Test
    void shouldKeepAnEventChannelForItsIds() throws Exception {
        RdmaEventChannel events = RdmaEventChannel.createEventChannel();
        RdmaCmId id = events.createId(RdmaCm.RDMA_PS_TCP);
        assertThatThrownBy(events::destroyEventChannel)
                .isInstanceOf(IOException.class)
                .hasMessageContaining("still used by 1");
        id.destroyId();
        events.destroyEventChannel();
        assertThat(events.isOpen()).isFalse();
    }

    @Test
    void shouldNotWaitForAnEventThatIsGone() throws Exception {
        RdmaEventChannel events = RdmaEventChannel.createEventChannel();
        try (Arena arena = Arena.ofConfined()) {
            long out = arena.allocate(Long.BYTES).address();
            long channel = ((CoreEventChannel) events).address;
            assertThatThrownBy(() -> Libraries.get().getCmEvent.check(channel, out))
                    .isInstanceOfSatisfying(
                            VerbsException.class, e -> assertThat(e.errno()).isEqualTo(Errors.EAGAIN));
        }
        assertThat(events.getCmEvent(0)).isNull();
        events.destroyEventChannel();
    }

    @Test
    void shouldSendAndReceive() throws Exception {
        MemorySegment from = pair.client.memory(100);
        MemorySegment to = pair.server.memory(4096);
        from.fill((byte) 42);
        IbvMr fromMr = pair.client.register(from, 0);
        IbvMr toMr = pair.server.register(to, IbvMr.IBV_ACCESS_LOCAL_WRITE);
        pair.server.receive(toMr);
        assertThat(pair.client.run(pair.client.request(IbvSendWR.IBV_WR_SEND, fromMr)))
                .isEqualTo(status(IbvWcStatus.IBV_WC_SUCCESS));
        IbvWC received = pair.server.next();
        assertThat(received.getStatus()).isEqualTo(status(IbvWcStatus.IBV_WC_SUCCESS));
        assertThat(received.getWr_id()).isEqualTo(77);
        assertThat(received.getByte_len()).isEqualTo(100);
        assertThat(received.getQp_num()).isEqualTo(pair.server.qp.getQp_num());
        assertThat(to.asSlice(0, 100).mismatch(from)).isEqualTo(-1);
        fromMr.deregMr().execute();
        toMr.deregMr().execute();
    }

    @Test
    void shouldReadBackWhatItWrote() throws Exception {
        MemorySegment from = pair.client.memory(100_000);
        MemorySegment back = pair.client.memory(100_000);
        MemorySegment target = pair.server.memory(100_000);
        for (int i = 0; i < from.byteSize(); i++) {
            from.set(JAVA_BYTE, i, (byte) (i * 31));
        }
        IbvMr fromMr = pair.client.register(from, 0);
        IbvMr backMr = pair.client.register(back, IbvMr.IBV_ACCESS_LOCAL_WRITE);
        IbvMr targetMr = pair.server.register(target, REMOTE);
        IbvSendWR write = pair.client.rdma(IbvSendWR.IBV_WR_RDMA_WRITE, fromMr, targetMr.getAddr(), targetMr.getRkey());
        write.setSend_flags(0);
        IbvSendWR read = pair.client.rdma(IbvSendWR.IBV_WR_RDMA_READ, backMr, targetMr.getAddr(), targetMr.getRkey());
        read.setWr_id(5);
        pair.client.qp.postSend(List.of(write, read), null).execute();
        IbvWC completion = pair.client.next();
        assertThat(completion.getStatus()).isEqualTo(status(IbvWcStatus.IBV_WC_SUCCESS));
        assertThat(completion.getWr_id()).isEqualTo(5);
        assertThat(back.mismatch(from)).isEqualTo(-1);
        assertThat(target.mismatch(from)).isEqualTo(-1);
        for (IbvMr mr : List.of(fromMr, backMr, targetMr)) {
            mr.deregMr().execute();
        }
    }

    @Test
    void shouldGiveUpOnAPeerThatWentWithoutAWord() throws Exception {
        MemorySegment from = pair.client.memory(64);
        MemorySegment target = pair.server.memory(64);
        IbvMr fromMr = pair.client.register(from, 0);
        IbvMr targetMr = pair.server.register(target, REMOTE);
        IbvSendWR write = pair.client.rdma(IbvSendWR.IBV_WR_RDMA_WRITE, fromMr, targetMr.getAddr(), targetMr.getRkey());
        assertThat(pair.client.run(write)).isEqualTo(status(IbvWcStatus.IBV_WC_SUCCESS));
        pair.server.id.destroyQP();
        assertThat(pair.client.run(write)).isEqualTo(status(IbvWcStatus.IBV_WC_RETRY_EXC_ERR));
        fromMr.deregMr().execute();
        targetMr.deregMr().execute();
    }

    @Test
    void shouldBeRefusedWithAWrongKey() throws Exception {
        MemorySegment from = pair.client.memory(64);
        MemorySegment target = pair.server.memory(64);
        from.fill((byte) 1);
        IbvMr fromMr = pair.client.register(from, 0);
        IbvMr targetMr = pair.server.register(target, REMOTE);
        int wrong = targetMr.getRkey() ^ 0x5500;
        assertThat(pair.client.run(pair.client.rdma(IbvSendWR.IBV_WR_RDMA_WRITE, fromMr, targetMr.getAddr(), wrong)))
                .isEqualTo(status(IbvWcStatus.IBV_WC_REM_ACCESS_ERR));
        assertThat(target.get(JAVA_BYTE, 0)).isZero();
        fromMr.deregMr().execute();
        targetMr.deregMr().execute();
    }

    @Test
    void shouldBeRefusedAfterTheRegistrationEnded() throws Exception {
        MemorySegment from = pair.client.memory(64);
        MemorySegment target = pair.server.memory(64);
        from.fill((byte) 1);
        IbvMr fromMr = pair.client.register(from, 0);
        IbvMr targetMr = pair.server.register(target, REMOTE);
        IbvSendWR write = pair.client.rdma(IbvSendWR.IBV_WR_RDMA_WRITE, fromMr, targetMr.getAddr(), targetMr.getRkey());
        assertThat(pair.client.run(write)).isEqualTo(status(IbvWcStatus.IBV_WC_SUCCESS));
        target.fill((byte) 0);
        targetMr.deregMr().execute();
        assertThat(pair.client.run(write)).isEqualTo(status(IbvWcStatus.IBV_WC_REM_ACCESS_ERR));
        assertThat(target.get(JAVA_BYTE, 0)).isZero();
        fromMr.deregMr().execute();
    }

    @Test
    void shouldBeRefusedAfterTheWindowWasInvalidated() throws Exception {
        MemorySegment from = pair.client.memory(64);
        MemorySegment target = pair.server.memory(8192);
        from.fill((byte) 1);
        IbvMr fromMr = pair.client.register(from, 0);
        IbvMr targetMr = pair.server.register(target, IbvMr.IBV_ACCESS_LOCAL_WRITE | IbvMr.IBV_ACCESS_MW_BIND);
        try (MemoryWindow window = pair.core.allocateWindow(pair.server.pd)) {
            long start = targetMr.getAddr() + 4096;
            window.bind(
                    pair.server.qp,
                    targetMr,
                    start,
                    64,
                    IbvMr.IBV_ACCESS_REMOTE_WRITE | IbvMr.IBV_ACCESS_REMOTE_READ,
                    1);
            assertThat(pair.server.next().getStatus()).isEqualTo(status(IbvWcStatus.IBV_WC_SUCCESS));
            IbvSendWR write = pair.client.rdma(IbvSendWR.IBV_WR_RDMA_WRITE, fromMr, start, window.rkey());
            assertThat(pair.client.run(write)).isEqualTo(status(IbvWcStatus.IBV_WC_SUCCESS));
            assertThat(target.get(JAVA_BYTE, 4096)).isEqualTo((byte) 1);
            target.fill((byte) 0);
            window.invalidate(pair.server.qp, 2);
            assertThat(pair.server.next().getStatus()).isEqualTo(status(IbvWcStatus.IBV_WC_SUCCESS));
            assertThat(pair.client.run(write)).isEqualTo(status(IbvWcStatus.IBV_WC_REM_ACCESS_ERR));
            assertThat(target.get(JAVA_BYTE, 4096)).isZero();
        }
        fromMr.deregMr().execute();
        targetMr.deregMr().execute();
    }

    @Test
    void shouldWakeWhoWaitsForACompletion() throws Exception {
        MemorySegment memory = pair.client.memory(64);
        MemorySegment target = pair.server.memory(64);
        IbvMr memoryMr = pair.client.register(memory, 0);
        IbvMr targetMr = pair.server.register(target, REMOTE);
        SVCReqNotify notify = pair.client.cq.reqNotification(false);
        notify.execute();
        assertThat(pair.client.channel.getCqEvent(pair.client.cq, 0)).isFalse();
        pair.client
                .qp
                .postSend(
                        List.of(pair.client.rdma(
                                IbvSendWR.IBV_WR_RDMA_WRITE, memoryMr, targetMr.getAddr(), targetMr.getRkey())),
                        null)
                .execute();
        assertThat(pair.client.channel.getCqEvent(pair.client.cq, 20_000)).isTrue();
        pair.client.cq.ackEvents(1);
        assertThat(pair.client.next().getStatus()).isEqualTo(status(IbvWcStatus.IBV_WC_SUCCESS));
        memoryMr.deregMr().execute();
        targetMr.deregMr().execute();
    }

    @Test
    void shouldAllocateNothingPerOperation() throws Exception {
        MemorySegment memory = pair.client.memory(64);
        MemorySegment target = pair.server.memory(64);
        IbvMr memoryMr = pair.client.register(memory, 0);
        IbvMr targetMr = pair.server.register(target, REMOTE);
        SVCPostSend post = pair.client.qp.postSend(
                List.of(pair.client.rdma(
                        IbvSendWR.IBV_WR_RDMA_WRITE, memoryMr, targetMr.getAddr(), targetMr.getRkey())),
                null);
        IbvSendWR ofMany =
                pair.client.rdma(IbvSendWR.IBV_WR_RDMA_WRITE, memoryMr, targetMr.getAddr(), targetMr.getRkey());
        while (ofMany.getSg_list().size() < RcPair.MAX_ELEMENTS) {
            ofMany.getSg_list().add(ofMany.getSg_list().getFirst());
        }
        SVCPostSend gathering = pair.client.qp.postSend(List.of(ofMany), null);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        run(post, 1, WARM_UP);
        run(gathering, RcPair.MAX_ELEMENTS, WARM_UP);
        long before = threads.getCurrentThreadAllocatedBytes();
        run(post, 1, MEASURED);
        run(gathering, RcPair.MAX_ELEMENTS, MEASURED);
        long bytes = threads.getCurrentThreadAllocatedBytes() - before;
        assertThat(bytes).as("bytes in %d operations", 2 * MEASURED).isLessThan(MEASURED);
        memoryMr.deregMr().execute();
        targetMr.deregMr().execute();
    }

    private void run(SVCPostSend post, int elements, int times) throws Exception {
        for (int i = 0; i < times; i++) {
            post.getWrMod(0).setWr_id(i);
            for (int e = 0; e < elements; e++) {
                post.getWrMod(0).getSgeMod(e).setLength(1 + i % (64 / elements));
            }
            post.execute();
            IbvWC completion = pair.client.next();
            if (completion.getStatus() != 0 || completion.getWr_id() != i) {
                throw new AssertionError("operation " + i + ": status " + completion.getStatus());
            }
        }
    }
}
