package io.tesserafs.node.session;

import io.tesserafs.coherence.lock.LockResult;
import io.tesserafs.coherence.session.SessionCodec;
import io.tesserafs.coherence.session.SessionCodec.Answer;
import io.tesserafs.coherence.session.SessionCodec.Kind;
import io.tesserafs.coherence.session.SessionCodec.Status;
import io.tesserafs.coherence.session.SessionTerms;
import io.tesserafs.coherence.token.OwnerLink;
import io.tesserafs.coherence.token.TokenCache;
import io.tesserafs.coherence.token.TokenMessage;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.node.namespace.InodeAttr;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One session's way to an owner: in this process, or over a connection. Once broken it stays so. Thread-safe. */
abstract sealed class OwnerConnection implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(OwnerConnection.class);
    private static final long OPEN_TIMEOUT_MS = 10_000;

    final int volume;
    final SessionId session;
    final int node;
    private volatile SessionTerms terms = SessionTerms.DEFAULT;

    OwnerConnection(int volume, int node, SessionId session) {
        this.volume = volume;
        this.node = node;
        this.session = session;
    }

    static OwnerConnection to(
            OwnerFinder.Whereabouts owner,
            int volume,
            int node,
            SessionId session,
            NodeEndpoint endpoint,
            NodeSession.Node callbacks,
            SessionLocks locks,
            KnownMetadata known)
            throws IOException {
        OwnedVolume here = owner.here();
        Connection there = owner.there();
        if (here != null) {
            return new Here(here, node, session, callbacks, locks);
        }
        if (there == null) {
            throw new IOException("volume " + volume + " has no owner");
        }
        return new There(there, volume, node, session, endpoint, callbacks, locks, known);
    }

    SessionTerms terms() {
        return terms;
    }

    int renewEveryMs() {
        return terms.renewEveryMs();
    }

    /**
     * Null if the owner does not know the session any more.
     *
     * @param number of the OPEN, from 1 on
     */
    final OwnedVolume.@Nullable Attached attach(TokenCache tokens, long number, List<TokenMessage.Held> holds)
            throws IOException {
        List<OwnedVolume.Attached> result = new ArrayList<>(1);
        List<IOException> failure = new ArrayList<>(1);
        var _ = tokens.attach(
                new OwnerLink() {
                    @Override
                    public void send(TokenMessage.ToOwner message) {
                        OwnerConnection.this.send(message);
                    }

                    @Override
                    public CompletableFuture<Long> connect(List<TokenMessage.Held> held, Receiver receiver) {
                        CompletableFuture<Long> sequence = new CompletableFuture<>();
                        try {
                            OwnedVolume.Attached attached =
                                    open(new SessionCodec.Opening(node, number, held), receiver);
                            if (attached != null) {
                                result.add(attached);
                                sequence.complete(attached.sequence());
                            }
                        } catch (IOException e) {
                            failure.add(e);
                        }
                        return sequence;
                    }
                },
                holds);
        if (!failure.isEmpty()) {
            throw failure.getFirst();
        }
        if (result.isEmpty()) {
            return null;
        }
        terms = result.getFirst().terms();
        return result.getFirst();
    }

    @Nullable
    OwnedVolume here() {
        return null;
    }

    abstract OwnedVolume.@Nullable Attached open(SessionCodec.Opening opening, OwnerLink.Receiver receiver)
            throws IOException;

    /** The session stands on this side too. */
    abstract void settled();

    /** Must not block. */
    abstract void send(TokenMessage.ToOwner message);

    /** Null if the link is broken, or the owner is none any more. */
    abstract @Nullable ByteBuffer call(long number, long answeredBelow, ByteBuffer request, long timeoutMs);

    /** Null if the link is broken; false if the session is over. */
    abstract @Nullable Boolean renew();

    /** Says that the session is over. */
    abstract void end();

    @Override
    public abstract void close();

    /** The owner is in this process. */
    static final class Here extends OwnerConnection {
        private final OwnedVolume owner;
        private final NodeSession.Node callbacks;
        private final SessionLocks locks;

        Here(OwnedVolume owner, int node, SessionId session, NodeSession.Node callbacks, SessionLocks locks) {
            super(owner.volume(), node, session);
            this.owner = owner;
            this.callbacks = callbacks;
            this.locks = locks;
        }

        @Override
        OwnedVolume here() {
            return owner;
        }

        @Override
        OwnedVolume.@Nullable Attached open(SessionCodec.Opening opening, OwnerLink.Receiver receiver)
                throws IOException {
            return owner.attach(session, true, opening, new NodeEnd() {
                @Override
                public OwnerLink.Receiver tokens() {
                    return receiver;
                }

                @Override
                public void alone(boolean alone) {
                    callbacks.alone(alone);
                }

                @Override
                public void lockEnded(long request, LockResult result) {
                    locks.ended(Here.this, request, result); // one that began to wait at another owner
                }

                @Override
                public void orphaned(long ino) {
                    callbacks.orphaned(ino);
                }
            });
        }

        @Override
        void settled() {
            owner.settled();
        }

        @Override
        void send(TokenMessage.ToOwner message) {
            owner.token(session, message);
        }

        @Override
        @Nullable
        ByteBuffer call(long number, long answeredBelow, ByteBuffer request, long timeoutMs) {
            return owner.isClosed() ? null : owner.call(session, number, answeredBelow, request);
        }

        @Override
        @Nullable
        Boolean renew() {
            return owner.renew(session);
        }

        @Override
        void end() {
            owner.end(session);
        }

        @Override
        public void close() {}

        @Override
        public String toString() {
            return "the owner on this node, epoch " + owner.epoch();
        }
    }

    /** The owner is on another node. */
    static final class There extends OwnerConnection {
        private final Connection connection;
        private final NodeEndpoint endpoint;
        private final NodeSession.Node callbacks;
        private final SessionLocks locks;
        private final KnownMetadata known;
        /** Null until it is open: nothing is sent before. */
        private volatile @Nullable Outbox outbox;

        private volatile long epoch;

        There(
                Connection connection,
                int volume,
                int node,
                SessionId session,
                NodeEndpoint endpoint,
                NodeSession.Node callbacks,
                SessionLocks locks,
                KnownMetadata known) {
            super(volume, node, session);
            this.connection = connection;
            this.endpoint = endpoint;
            this.callbacks = callbacks;
            this.locks = locks;
            this.known = known;
        }

        @Override
        OwnedVolume.@Nullable Attached open(SessionCodec.Opening opening, OwnerLink.Receiver receiver)
                throws IOException {
            endpoint.add(session, connection, new NodeEndpoint.Receiver() {
                @Override
                public void token(TokenMessage.ToNode message) {
                    receiver.receive(message);
                }

                @Override
                public void alone(boolean alone) {
                    callbacks.alone(alone);
                }

                @Override
                public void lockEnded(long request, LockResult result) {
                    locks.ended(There.this, request, result);
                }

                @Override
                public void orphaned(long ino) {
                    callbacks.orphaned(ino);
                }

                @Override
                public void attributes(WireIn in) throws WireIn.MalformedException {
                    long moment = in.i64();
                    InodeAttr attr = VolumeWire.attr(in);
                    known.learn(attr, in.i64(), new KnownMetadata.Span(moment, moment));
                    in.end();
                }
            });
            Answer answer = ask(SessionCodec.open(volume, session, opening), OPEN_TIMEOUT_MS);
            if (answer.status() == Status.ENDED) {
                return null;
            }
            if (answer.status() != Status.OK) {
                throw new IOException(connection.peer() + " answers " + answer.status());
            }
            epoch = answer.epoch();
            outbox = new Outbox(
                    connection, OwnerEndpoint.SERVICE, messages -> SessionCodec.several(volume, session, messages));
            return new OwnedVolume.Attached(
                    answer.epoch(),
                    new SessionTerms(answer.termMs(), SessionTerms.DEFAULT.marginMs()),
                    answer.sequence());
        }

        private Answer ask(ByteBuffer request, long timeoutMs) throws IOException {
            try {
                ByteBuffer in = connection.call(OwnerEndpoint.SERVICE, request, timeoutMs);
                return SessionCodec.answer(in, connection.peer().toString());
            } catch (SessionCodec.MalformedException e) {
                throw new IOException(e.getMessage(), e);
            }
        }

        @Override
        void settled() {
            // The owner goes on by itself once it has answered.
        }

        @Override
        void send(TokenMessage.ToOwner message) {
            Outbox way = outbox;
            if (way != null) {
                way.add(SessionCodec.token(volume, session, message));
            }
        }

        @Override
        @Nullable
        ByteBuffer call(long number, long answeredBelow, ByteBuffer request, long timeoutMs) {
            try {
                ByteBuffer message = SessionCodec.call(volume, session, number, answeredBelow, request);
                ByteBuffer in = connection.call(OwnerEndpoint.SERVICE, message, timeoutMs);
                Answer answer = SessionCodec.answer(in, connection.peer().toString());
                return answer.status() == Status.OK ? in : null;
            } catch (PeerException e) {
                LOG.debug("call to {}: {}", connection.peer(), e.getMessage());
                return null;
            } catch (SessionCodec.MalformedException e) {
                LOG.warn("{} answers nonsense: {}", connection.peer(), e.getMessage());
                return null;
            }
        }

        @Override
        @Nullable
        Boolean renew() {
            try {
                Answer answer = ask(SessionCodec.plain(Kind.RENEW, volume, session), 2L * renewEveryMs());
                return switch (answer.status()) {
                    case OK -> Boolean.TRUE;
                    case ENDED -> Boolean.FALSE;
                    case NOT_OWNER, NOT_READY -> null;
                };
            } catch (IOException e) {
                return null;
            }
        }

        @Override
        void end() {
            try {
                ask(SessionCodec.plain(Kind.CLOSE, volume, session), OPEN_TIMEOUT_MS);
            } catch (IOException e) {
                LOG.info("the owner was not told that session {} is over: {}", session, e.getMessage());
            }
        }

        @Override
        public void close() {
            Outbox way = outbox;
            if (way != null) {
                way.stop();
            }
        }

        @Override
        public String toString() {
            return "the owner on node " + connection.peer().node() + ", epoch " + epoch;
        }
    }
}
