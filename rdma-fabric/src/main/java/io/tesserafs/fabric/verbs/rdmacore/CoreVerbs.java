package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import com.ibm.disni.verbs.IbvCQ;
import com.ibm.disni.verbs.IbvCompChannel;
import com.ibm.disni.verbs.IbvContext;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvPd;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.IbvRecvWR;
import com.ibm.disni.verbs.IbvSendWR;
import com.ibm.disni.verbs.IbvWC;
import com.ibm.disni.verbs.RdmaVerbs;
import com.ibm.disni.verbs.SVCDeregMr;
import com.ibm.disni.verbs.SVCPollCq;
import com.ibm.disni.verbs.SVCPostRecv;
import com.ibm.disni.verbs.SVCPostSend;
import com.ibm.disni.verbs.SVCRegMr;
import com.ibm.disni.verbs.SVCReqNotify;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Verbs over libibverbs. Thread-safe, as that is; a prepared call ({@code SVC...}) is used by one thread at a time. */
final class CoreVerbs extends RdmaVerbs {
    private final Libraries libraries;

    CoreVerbs(Libraries libraries) {
        this.libraries = libraries;
    }

    @Override
    public IbvPd allocPd(IbvContext context) throws IOException {
        CoreContext device = CoreContext.of(context);
        long address = libraries.allocPd.pointer(device.address);
        if (NativeMemory.getLong(address + VerbsLayout.PD_CONTEXT) != device.address) {
            throw new VerbsUnavailableException("ibv_pd is not laid out as expected");
        }
        return new CorePd(device, address);
    }

    @Override
    public IbvCompChannel createCompChannel(IbvContext context) throws IOException {
        CoreContext device = CoreContext.of(context);
        return new CoreCompChannel(device, libraries.createCompChannel.pointer(device.address));
    }

    /** @param channel null if nobody will wait for its events; else of this queue only */
    @Override
    public IbvCQ createCQ(IbvContext context, @Nullable IbvCompChannel channel, int entries, int vector)
            throws IOException {
        CoreContext device = CoreContext.of(context);
        CoreCompChannel events = (CoreCompChannel) channel;
        long address =
                libraries.createCq.pointer(device.address, entries, 0, events == null ? 0 : events.address, vector);
        if (NativeMemory.getLong(address + VerbsLayout.CQ_CONTEXT) != device.address) {
            throw new VerbsUnavailableException("ibv_cq is not laid out as expected");
        }
        return new CoreCq(device, events, address);
    }

    /** Takes one event; false if none came in time. Events are acknowledged by {@link #ackCqEvents}. */
    @Override
    public boolean getCqEvent(IbvCompChannel channel, IbvCQ cq, int timeoutMs) throws IOException {
        CoreCompChannel events = (CoreCompChannel) channel;
        if (!events.isOpen()) {
            throw new IOException("the completion channel was destroyed");
        }
        if (!Descriptors.awaitReadable(events.fd, timeoutMs)) {
            return false;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG, 2);
            libraries.getCqEvent.check(events.address, out.address(), out.address() + Long.BYTES);
            if (out.get(JAVA_LONG, 0) != ((CoreCq) cq).address) {
                throw new IllegalStateException("a completion channel of several queues");
            }
            return true;
        }
    }

    /** The whole buffer, which is a direct one, from 0 to its capacity. */
    @Override
    public SVCRegMr regMr(IbvPd pd, ByteBuffer buffer, int access) {
        MemorySegment memory = MemorySegment.ofBuffer(buffer.duplicate().clear());
        return new MemoryCalls.Register((CorePd) pd, memory.address(), memory.byteSize(), access);
    }

    @Override
    public SVCRegMr regMr(IbvPd pd, long address, int length, int access) {
        return new MemoryCalls.Register((CorePd) pd, address, length, access);
    }

    @Override
    public int queryOdpSupport(IbvContext context) throws IOException {
        return DeviceQueries.odpSupport(CoreContext.of(context).address);
    }

    /** Not offered: libibverbs has another call for it, ibv_advise_mr, whose need has not been shown. */
    @Override
    public int expPrefetchMr(IbvMr mr, long address, int length) {
        throw new UnsupportedOperationException("prefetching for on-demand paging");
    }

    @Override
    public SVCDeregMr deregMr(IbvMr mr) {
        return new MemoryCalls.Deregister((CoreMr) mr);
    }

    /** @param bad not used: an error tells of the first that was refused */
    @Override
    public SVCPostSend postSend(IbvQP qp, List<IbvSendWR> requests, @Nullable List<IbvSendWR> bad) throws IOException {
        return new CorePostSend((CoreQp) qp, requests);
    }

    /** @param bad not used: an error tells of the first that was refused */
    @Override
    public SVCPostRecv postRecv(IbvQP qp, List<IbvRecvWR> requests, @Nullable List<IbvRecvWR> bad) {
        return new CorePostRecv((CoreQp) qp, requests);
    }

    /** @param completions filled by each execution, from the first on */
    @Override
    public SVCPollCq pollCQ(IbvCQ cq, IbvWC[] completions, int max) {
        return new CorePollCq((CoreCq) cq, completions, max);
    }

    @Override
    public SVCReqNotify reqNotifyCQ(IbvCQ cq, boolean solicitedOnly) {
        return new CoreReqNotify((CoreCq) cq, solicitedOnly);
    }

    @Override
    public int ackCqEvents(IbvCQ cq, int events) {
        libraries.ackCqEvents.run(((CoreCq) cq).address, events);
        return 0;
    }

    @Override
    public int destroyCompChannel(IbvCompChannel channel) throws IOException {
        if (channel.isOpen()) {
            libraries.destroyCompChannel.check(((CoreCompChannel) channel).address);
            channel.close();
        }
        return 0;
    }

    @Override
    public int deallocPd(IbvPd pd) throws IOException {
        if (pd.isOpen()) {
            libraries.deallocPd.check(((CorePd) pd).address);
            pd.close();
        }
        return 0;
    }

    /** Waits until its events are acknowledged. */
    @Override
    public int destroyCQ(IbvCQ cq) throws IOException {
        if (cq.isOpen()) {
            libraries.destroyCq.check(((CoreCq) cq).address);
            cq.close();
        }
        return 0;
    }
}
