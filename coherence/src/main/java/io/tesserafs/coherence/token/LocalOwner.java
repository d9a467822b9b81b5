package io.tesserafs.coherence.token;

import io.tesserafs.fabric.brick.SessionId;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * The owner's table in this process, reached without a thread of its own: whoever brings a message works through the queue,
 * unless somebody does so already. So an uncontended request is granted before {@link OwnerLink#send} returns, on the caller's
 * thread, and the table is still touched by one thread at a time. Thread-safe.
 */
public final class LocalOwner {
    /** One thing for the table to do. */
    private record Work(SessionId session, TokenMessage.@Nullable ToOwner message) {}

    private final Queue<Work> inbox = new ConcurrentLinkedQueue<>();
    private final AtomicInteger pending = new AtomicInteger();
    private final Map<SessionId, OwnerLink.Receiver> receivers = new ConcurrentHashMap<>();
    private final TokenTable table = new TokenTable(this::deliver);

    /** The link of one session; a session has one link, and is not used again after it ended. */
    public OwnerLink link(SessionId session) {
        return new Link(session);
    }

    /** Ends a session: what it held is free from now on, and it gets no more messages. */
    public void endSession(SessionId session) {
        submit(new Work(session, null));
    }

    /** What is held of a resource, for people to read. Only exact while nothing goes on. */
    public List<String> describe(Resource resource) {
        return table.describe(resource);
    }

    private void submit(Work work) {
        inbox.add(work);
        if (pending.getAndIncrement() != 0) {
            return; // whoever is at it will see to it
        }
        do {
            Work next = inbox.remove();
            TokenMessage.ToOwner message = next.message();
            if (message == null) {
                receivers.remove(next.session());
                table.endSession(next.session());
            } else if (receivers.containsKey(next.session())) {
                table.receive(next.session(), message);
            }
        } while (pending.decrementAndGet() != 0);
    }

    private void deliver(SessionId to, TokenMessage.ToNode message) {
        OwnerLink.Receiver receiver = receivers.get(to);
        if (receiver != null) {
            receiver.receive(message);
        }
    }

    private final class Link implements OwnerLink {
        private final SessionId session;

        Link(SessionId session) {
            this.session = session;
        }

        @Override
        public void send(TokenMessage.ToOwner message) {
            submit(new Work(session, message));
        }

        @Override
        public void connect(Receiver receiver) {
            if (receivers.putIfAbsent(session, receiver) != null) {
                throw new IllegalStateException("session " + session + " has a link already");
            }
        }
    }
}
