package io.tesserafs.node.session;

import io.tesserafs.coherence.lock.LockResult;
import io.tesserafs.coherence.session.SessionCodec;
import io.tesserafs.coherence.session.SessionCodec.Answer;
import io.tesserafs.coherence.session.SessionCodec.Header;
import io.tesserafs.coherence.session.SessionCodec.Kind;
import io.tesserafs.coherence.session.SessionCodec.MalformedException;
import io.tesserafs.coherence.session.SessionCodec.Status;
import io.tesserafs.coherence.token.TokenMessage;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.Service;
import java.nio.ByteBuffer;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where owners on other nodes reach the sessions that this one has with them. Thread-safe. */
public final class NodeEndpoint implements Service {
    /** The number on the transport, at the node. */
    public static final int SERVICE = 3;

    private static final Logger LOG = LoggerFactory.getLogger(NodeEndpoint.class);

    /** What an owner says to one session. */
    interface Receiver {
        void token(TokenMessage.ToNode message);

        /** May block. */
        void alone(boolean alone);

        /** Must not block. */
        void lockEnded(long request, LockResult result);

        /** Must not block. */
        void orphaned(long ino);

        /** What a grant that follows is about. Must not block. */
        void attributes(WireIn in) throws WireIn.MalformedException;
    }

    /** A session's link: an owner that was replaced may still be talking on an old connection. */
    @SuppressWarnings("ReferenceEquality") // a connection is itself and no other
    private record Entry(Connection connection, Receiver receiver) {
        boolean isFrom(Connection other) {
            return connection == other;
        }
    }

    private final ConcurrentMap<SessionId, Entry> sessions = new ConcurrentHashMap<>();

    void add(SessionId session, Connection connection, Receiver receiver) {
        sessions.put(session, new Entry(connection, receiver));
    }

    void remove(SessionId session) {
        sessions.remove(session);
    }

    private @Nullable Receiver find(Connection from, SessionId session) {
        Entry entry = sessions.get(session);
        return entry == null || !entry.isFrom(from) ? null : entry.receiver;
    }

    @Override
    public ByteBuffer call(Connection from, ByteBuffer request) throws Exception {
        try {
            Header header = SessionCodec.header(request);
            if (header.kind() != Kind.ALONE) {
                throw new MalformedException(header.kind() + " is no call to a node");
            }
            boolean alone = SessionCodec.aloneFlag(request);
            Receiver receiver = find(from, header.session());
            if (receiver == null) {
                return SessionCodec.answer(Answer.of(Status.ENDED));
            }
            receiver.alone(alone);
            return SessionCodec.answer(Answer.of(Status.OK));
        } catch (MalformedException e) {
            throw new PeerException(PeerException.Reason.BAD_REQUEST, String.valueOf(e.getMessage()), e);
        }
    }

    @Override
    public void notified(Connection from, ByteBuffer message) {
        try {
            Header header = SessionCodec.header(message);
            Receiver receiver = find(from, header.session());
            if (header.kind() == Kind.SEVERAL) {
                for (ByteBuffer each : SessionCodec.several(message)) {
                    Header inner = SessionCodec.header(each);
                    if (!inner.session().equals(header.session())) {
                        throw new MalformedException("messages to two sessions in one");
                    }
                    take(receiver, inner.kind(), each);
                }
            } else {
                take(receiver, header.kind(), message);
            }
        } catch (MalformedException | WireIn.MalformedException e) {
            LOG.warn("{} sends nonsense: {}", from.peer(), e.getMessage());
            from.close();
        }
    }

    /** Looks at a message even if nobody is there to take it. */
    private static void take(@Nullable Receiver receiver, Kind kind, ByteBuffer body)
            throws MalformedException, WireIn.MalformedException {
        switch (kind) {
            case LOCK_ENDED -> {
                WireIn in = new WireIn(body);
                long request = in.i64();
                LockResult result = LockWire.result(in);
                if (receiver != null) {
                    receiver.lockEnded(request, result);
                }
            }
            case ORPHANED -> {
                long ino = SessionCodec.number(body);
                if (receiver != null) {
                    receiver.orphaned(ino);
                }
            }
            case ATTRIBUTES -> {
                if (receiver != null) {
                    receiver.attributes(new WireIn(body));
                }
            }
            default -> {
                TokenMessage.ToNode token = SessionCodec.toNode(kind, body);
                if (receiver != null) {
                    receiver.token(token);
                }
            }
        }
    }
}
