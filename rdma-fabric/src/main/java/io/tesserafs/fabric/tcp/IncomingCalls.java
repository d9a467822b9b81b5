package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.PeerException.Reason;
import io.tesserafs.fabric.peer.Service;
import io.tesserafs.fabric.tcp.FrameLayout.Header;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Calls of the peer, each on a thread of its own from arrival to answer. Those are platform threads: services touch mapped files and
 * flush them, and a few virtual threads that wait for a disk in that way hold up all others.
 */
final class IncomingCalls {
    private static final Logger LOG = LoggerFactory.getLogger(IncomingCalls.class);

    private final TcpConnection connection;
    private final Services services;
    private final CallLimits limits;
    private final Executor executor;
    private final AtomicInteger calls = new AtomicInteger();
    private final AtomicInteger units = new AtomicInteger();

    IncomingCalls(TcpConnection connection, Services services, CallLimits limits, Executor executor) {
        this.connection = connection;
        this.services = services;
        this.limits = limits;
        this.executor = executor;
    }

    /** On the reading thread. */
    void take(Header header, FrameReader reader) throws IOException {
        int wanted = CallLimits.units(header.bodyBytes());
        if (calls.incrementAndGet() > limits.maxCalls() || units.addAndGet(wanted) > limits.windowUnits()) {
            throw new ProtocolException("makes more calls at a time than it was allowed");
        }
        ByteBuffer request = reader.body(header);
        try {
            executor.execute(() -> run(header, request, wanted));
        } catch (RejectedExecutionException e) {
            throw new ClosedChannelException(); // the transport is being closed
        }
    }

    private void run(Header header, ByteBuffer request, int taken) {
        ByteBuffer answer = null;
        Reason reason = Reason.FAILED;
        String message = "";
        Service service = services.get(header.service());
        services.countCall();
        try {
            if (service == null) {
                throw new PeerException(Reason.BAD_REQUEST, "no service " + header.service());
            }
            answer = service.call(connection, request);
            if (answer.remaining() > Connection.MAX_MESSAGE_BYTES) {
                message = "an answer of " + answer.remaining() + " bytes is too long";
                answer = null;
            }
        } catch (PeerException e) {
            reason = e.reason() == Reason.BAD_REQUEST ? Reason.BAD_REQUEST : Reason.FAILED;
            message = describe(e);
        } catch (Exception e) {
            LOG.debug("{}: service {} failed", connection, header.service(), e);
            message = describe(e);
        } catch (Error e) {
            LOG.error("{}: service {} failed", connection, header.service(), e);
            message = describe(e);
        }
        // Before the answer: having it, the peer may call again.
        units.addAndGet(-taken);
        calls.decrementAndGet();
        try {
            if (answer != null) {
                connection.reply(header.id(), answer);
            } else {
                connection.error(header.id(), reason, message);
            }
        } catch (IOException e) {
            connection.end("cannot be written to: " + e.getMessage());
        }
    }

    private static String describe(Throwable t) {
        return t.getMessage() == null ? t.toString() : t.getMessage();
    }
}
