package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvCQ;
import com.ibm.disni.verbs.IbvCompChannel;
import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.IbvRecvWR;
import com.ibm.disni.verbs.IbvSendWR;
import com.ibm.disni.verbs.IbvSge;
import com.ibm.disni.verbs.IbvWC;
import com.ibm.disni.verbs.RdmaCmId;
import com.ibm.disni.verbs.SVCPollCq;
import io.tesserafs.fabric.verbs.ControlCodec.Offer;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedList;
import java.util.List;

/** The other end of a wire, which can break every rule. Its memory holds one message to be sent, and behind it what it receives. */
final class RawQueuePair implements AutoCloseable {
    private static final int RECEIVED_AT = 2 * MessageLayout.MESSAGE_BYTES;
    private static final int PATIENCE_MS = 60_000;
    private static final int RECEIVES = 64;

    private final LocalDevice device;
    private final Arena arena = Arena.ofShared();
    private final Connector connector = new Connector(PATIENCE_MS);
    private final IbvCompChannel channel;
    private final IbvCQ sent;
    private final IbvCQ received;
    private final IbvQP qp;
    private final IbvMr memory;
    private final ByteBuffer message;
    private final SVCPollCq poll;
    private final IbvWC[] one = {new IbvWC()};

    /** Connects. */
    RawQueuePair(LocalDevice device, Offer offer) throws IOException {
        this.device = device;
        connector.resolve(device.address(), offer.address());
        RdmaCmId id = connector.id();
        channel = id.getVerbs().createCompChannel();
        sent = id.getVerbs().createCQ(channel, 16, 0);
        received = id.getVerbs().createCQ(channel, RECEIVES, 0);
        qp = QueuePairs.create(id, device.pd(), sent, 16, 0, received, RECEIVES);
        MemorySegment buffer = arena.allocate(RECEIVED_AT + MessageLayout.MESSAGE_BYTES, 4096);
        message = buffer.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
        memory = device.binding().register(device.pd(), buffer, IbvMr.IBV_ACCESS_LOCAL_WRITE);
        poll = sent.poll(one, 1);
        for (int i = 0; i < RECEIVES; i++) {
            IbvRecvWR request = new IbvRecvWR();
            request.setSg_list(scatter(RECEIVED_AT, MessageLayout.MESSAGE_BYTES));
            request.setNum_sge(1);
            qp.postRecv(List.of(request), null).execute();
        }
        try {
            connector.connect(offer, VerbsWire.parameters());
        } catch (IOException e) {
            close();
            throw e;
        }
    }

    @SuppressWarnings({"JdkObsolete", "NonApiType"}) // what DiSNI's interface takes
    private LinkedList<IbvSge> scatter(int at, int bytes) {
        IbvSge sge = new IbvSge();
        sge.setAddr(memory.getAddr() + at);
        sge.setLength(bytes);
        sge.setLkey(memory.getLkey());
        return new LinkedList<>(List.of(sge));
    }

    /** To be changed before it is sent. */
    ByteBuffer message() {
        return message;
    }

    void post(int opcode, int bytes) throws IOException {
        IbvSendWR request = new IbvSendWR();
        request.setOpcode(opcode);
        request.setSend_flags(IbvSendWR.IBV_SEND_SIGNALED);
        request.setSg_list(scatter(0, bytes));
        request.setNum_sge(1);
        qp.postSend(List.of(request), null).execute();
    }

    /** Returns the status of the completion. */
    int send(int opcode, int bytes) throws IOException {
        post(opcode, bytes);
        long deadline = System.nanoTime() + PATIENCE_MS * 1_000_000L;
        while (poll.execute().getPolls() == 0) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("no completion");
            }
            Thread.onSpinWait();
        }
        return one[0].getStatus();
    }

    /** A message as it should be. */
    int send(int carriedBytes) throws IOException {
        MessageLayout.putHeader(message, carriedBytes, 0);
        return send(IbvSendWR.IBV_WR_SEND, MessageLayout.HEADER_BYTES + carriedBytes);
    }

    /** With a word. */
    void leave() throws IOException {
        int _ = connector.id().disconnect();
    }

    @Override
    public void close() throws IOException {
        connector.id().destroyQP();
        device.binding().deregister(memory);
        sent.destroyCQ();
        received.destroyCQ();
        channel.destroyCompChannel();
        connector.close();
        arena.close();
    }
}
