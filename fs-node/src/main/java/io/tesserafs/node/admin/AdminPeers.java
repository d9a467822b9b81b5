package io.tesserafs.node.admin;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.Service;
import io.tesserafs.node.admin.AdminException.Code;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The admin protocol between daemons: what a node is asked by an operator and only another can do. Requests and answers are the lines of
 * {@link AdminProtocol}, one to a call of an authenticated connection. What is served here is carried out by this node or refused, never
 * passed on, so that no request goes in circles. Thread-safe.
 */
public final class AdminPeers implements Service {
    /** The number on the transport. */
    public static final int SERVICE = 4;

    /** Requests of all peers together; each may keep a whole volume busy. */
    private static final int MAX_IN_FLIGHT = 32;

    private static final Logger LOG = LoggerFactory.getLogger(AdminPeers.class);

    private final Semaphore inFlight = new Semaphore(MAX_IN_FLIGHT);
    private volatile @Nullable AdminDispatcher commands;

    /** Until then requests are refused as UNAVAILABLE. */
    public void serve(Map<String, AdminHandler> handlers) {
        commands = new AdminDispatcher(handlers, Connection.MAX_MESSAGE_BYTES);
    }

    @Override
    public ByteBuffer call(Connection from, ByteBuffer request) throws JsonProcessingException {
        return ByteBuffer.wrap(answer(request));
    }

    private byte[] answer(ByteBuffer request) throws JsonProcessingException {
        AdminDispatcher serving = commands;
        if (serving == null) {
            return AdminProtocol.failure(Code.UNAVAILABLE, "the daemon is starting");
        }
        if (request.remaining() > AdminProtocol.MAX_REQUEST_BYTES) {
            return AdminProtocol.failure(Code.BAD_REQUEST, "a request of " + request.remaining() + " bytes");
        }
        if (!inFlight.tryAcquire()) {
            return AdminProtocol.failure(Code.BUSY, "too many requests");
        }
        try {
            byte[] line = new byte[request.remaining()];
            request.get(line);
            return serving.answer(AdminProtocol.parseRequest(line));
        } catch (AdminException e) {
            return AdminProtocol.failure(e.code(), e.getMessage());
        } finally {
            inFlight.release();
        }
    }

    @Override
    public void notified(Connection from, ByteBuffer message) {
        LOG.warn("{} sends an admin request without waiting for the answer", from.peer());
        from.close();
    }

    /**
     * Asks a peer.
     *
     * @throws AdminException it refused
     * @throws PeerException it was not reached, or gave no answer in time: then it may have done what was asked
     */
    public static JsonNode ask(Connection to, String command, ObjectNode args, Duration timeout)
            throws PeerException, AdminException {
        try {
            ByteBuffer request = ByteBuffer.wrap(AdminProtocol.request(command, args));
            ByteBuffer answer = to.call(SERVICE, request, timeout.toMillis());
            byte[] line = new byte[answer.remaining()];
            answer.get(line);
            return AdminProtocol.parseAnswer(line);
        } catch (JsonProcessingException e) {
            throw new AdminException(Code.BAD_REQUEST, "the arguments cannot be sent", e);
        }
    }
}
