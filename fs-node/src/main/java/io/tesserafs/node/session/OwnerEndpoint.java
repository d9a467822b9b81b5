package io.tesserafs.node.session;

import io.tesserafs.coherence.lock.LockResult;
import io.tesserafs.coherence.session.SessionCodec;
import io.tesserafs.coherence.session.SessionCodec.Answer;
import io.tesserafs.coherence.session.SessionCodec.Header;
import io.tesserafs.coherence.session.SessionCodec.MalformedException;
import io.tesserafs.coherence.session.SessionCodec.Status;
import io.tesserafs.coherence.token.OwnerLink;
import io.tesserafs.coherence.token.TokenMessage;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.Service;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where other nodes reach the volumes that this one owns. Thread-safe. */
public final class OwnerEndpoint implements Service {
    /** The number on the transport, at the owner. */
    public static final int SERVICE = 2;

    private static final Logger LOG = LoggerFactory.getLogger(OwnerEndpoint.class);
    private final ConcurrentMap<Integer, OwnedVolume> volumes = new ConcurrentHashMap<>();

    public void add(OwnedVolume volume) {
        volumes.put(volume.volume(), volume);
    }

    public void remove(OwnedVolume volume) {
        volumes.remove(volume.volume(), volume);
    }

    @Override
    public ByteBuffer call(Connection from, ByteBuffer request) throws Exception {
        try {
            Header header = SessionCodec.header(request);
            OwnedVolume volume = volumes.get(header.volume());
            if (volume == null) {
                return SessionCodec.answer(Answer.of(Status.NOT_OWNER));
            }
            return call(from, volume, header, request);
        } catch (MalformedException e) {
            throw new PeerException(PeerException.Reason.BAD_REQUEST, String.valueOf(e.getMessage()), e);
        }
    }

    private static ByteBuffer call(Connection from, OwnedVolume volume, Header header, ByteBuffer request)
            throws MalformedException, IOException {
        SessionId session = header.session();
        return switch (header.kind()) {
            case OPEN -> {
                SessionCodec.Opening opening = SessionCodec.opening(request);
                if (opening.node() != from.peer().node()) {
                    throw new PeerException(
                            PeerException.Reason.BAD_REQUEST,
                            from.peer() + " opens a session for node " + opening.node());
                }
                RemoteEnd end = new RemoteEnd(from, volume, session);
                OwnedVolume.Attached attached = null;
                try {
                    attached = volume.attach(session, false, opening, end);
                } catch (IOException e) {
                    if (!volume.isClosed()) {
                        throw e;
                    }
                    yield SessionCodec.answer(Answer.of(Status.NOT_OWNER));
                } finally {
                    if (attached == null) {
                        end.stop();
                    }
                }
                if (attached == null) {
                    yield SessionCodec.answer(Answer.of(Status.ENDED));
                }
                Thread.startVirtualThread(volume::settled);
                yield SessionCodec.answer(
                        new Answer(Status.OK, attached.terms().termMs(), attached.epoch(), attached.sequence()));
            }
            case RENEW -> {
                Boolean renewed = volume.renew(session);
                yield SessionCodec.answer(
                        Answer.of(renewed == null ? Status.NOT_OWNER : renewed ? Status.OK : Status.ENDED));
            }
            case CLOSE -> {
                volume.end(session);
                yield SessionCodec.answer(Answer.of(Status.OK));
            }
            case CALL -> {
                long number = SessionCodec.number(request);
                long answeredBelow = SessionCodec.number(request);
                ByteBuffer rest = request.slice().order(ByteOrder.LITTLE_ENDIAN);
                ByteBuffer answer = volume.call(session, number, answeredBelow, rest);
                yield answer == null
                        ? SessionCodec.answer(Answer.of(Status.ENDED))
                        : SessionCodec.answer(Answer.of(Status.OK), answer);
            }
            default -> throw new MalformedException(header.kind() + " is no call");
        };
    }

    @Override
    public void notified(Connection from, ByteBuffer message) {
        try {
            Header header = SessionCodec.header(message);
            OwnedVolume volume = volumes.get(header.volume());
            if (volume == null) {
                return;
            }
            if (header.kind() == SessionCodec.Kind.SEVERAL) {
                for (ByteBuffer each : SessionCodec.several(message)) {
                    token(volume, header.session(), SessionCodec.header(each), each);
                }
            } else {
                token(volume, header.session(), header, message);
            }
        } catch (MalformedException e) {
            LOG.warn("{} sends nonsense: {}", from.peer(), e.getMessage());
            from.close();
        }
    }

    private static void token(OwnedVolume volume, SessionId session, Header header, ByteBuffer body)
            throws MalformedException {
        if (header.volume() != volume.volume() || !header.session().equals(session)) {
            throw new MalformedException("messages of two sessions in one");
        }
        volume.token(session, SessionCodec.toOwner(header.kind(), body));
    }

    /** A node at the other end of a connection. */
    private static final class RemoteEnd implements NodeEnd {
        private final Connection connection;
        private final OwnedVolume owned;
        private final int volume;
        private final SessionId session;
        private final Outbox outbox;

        RemoteEnd(Connection connection, OwnedVolume owned, SessionId session) {
            this.connection = connection;
            this.owned = owned;
            this.volume = owned.volume();
            this.session = session;
            this.outbox = new Outbox(
                    connection, NodeEndpoint.SERVICE, messages -> SessionCodec.several(volume, session, messages));
        }

        @Override
        public OwnerLink.Receiver tokens() {
            return new OwnerLink.Receiver() {
                @Override
                public void receive(TokenMessage.ToNode message) {
                    if (message instanceof TokenMessage.Grant grant && grant.id() != TokenMessage.NOBODY_ASKED) {
                        outbox.addForLater(() -> attributesFor(grant));
                    }
                    outbox.add(SessionCodec.token(volume, session, message));
                }

                @Override
                public void receiveWithAnswer(TokenMessage.ToNode message) {
                    outbox.addForLater(() -> SessionCodec.token(volume, session, message));
                }
            };
        }

        private @Nullable ByteBuffer attributesFor(TokenMessage.Grant grant) {
            ByteBuffer payload = owned.attributesFor(grant);
            return payload == null ? null : SessionCodec.attributes(volume, session, payload);
        }

        @Override
        public void sendTokens() {
            outbox.sendBeforeNext();
        }

        @Override
        public void alone(boolean alone) throws IOException {
            // A node that takes no note for as long as sessions live is as good as dead.
            long timeoutMs = owned.terms().ownerWaitsMs();
            connection.call(NodeEndpoint.SERVICE, SessionCodec.alone(volume, session, alone), timeoutMs);
        }

        @Override
        public void lockEnded(long request, LockResult result) {
            outbox.add(SessionCodec.lockEnded(volume, session, request, LockWire.code(result)));
        }

        @Override
        public void orphaned(long ino) {
            outbox.add(SessionCodec.orphaned(volume, session, ino));
        }

        void stop() {
            outbox.stop();
        }
    }
}
