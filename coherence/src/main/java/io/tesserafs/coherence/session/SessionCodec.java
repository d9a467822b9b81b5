package io.tesserafs.coherence.session;

import io.tesserafs.coherence.token.Mode;
import io.tesserafs.coherence.token.Resource;
import io.tesserafs.coherence.token.TokenMessage;
import io.tesserafs.fabric.brick.SessionId;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Messages between a node and a volume's owner, little-endian. All begin with
 *
 * <pre>
 * 0 u8 version · 1 u8 kind · 2 u16 volume · 4 u32 zero · 8 u64 session
 * </pre>
 *
 * and go on, by kind:
 *
 * <pre>
 * OPEN     16 u32 node · 20 u32 count · 24 u64 number · count times HELD
 * HELD     0 u64 inode · 8 u8 resource · 9 u8 mode · 10 u16 zero, u32 zero · 16 u64 from · 24 u64 to          (32 bytes)
 * CALL     16 u64 number · 24 u64 all below have been answered · 32 the request of the volume's service
 * REQUEST  16 u64 inode · 24 u8 resource · 25 u8 mode · 26 zero · 32 u64 from · 40 u64 to · 48 u64 id
 * RELEASE  16 as REQUEST, mode 0 for nothing that stays · 48 u64 seen
 * GRANT    16 as REQUEST · 48 u64 sequence · 56 u64 id
 * RECALL   16 as RELEASE, without seen
 * YIELD    16 as RECALL
 * ALONE    16 u8 0 or 1
 * ORPHANED 16 u64 inode
 * ATTRIBUTES  16 attributes of an inode, as the volume's service says them
 * SEVERAL  16 u32 count · count times: u32 length · a message of another kind
 * LOCK_ENDED  16 u64 number of the lock request · 24 u8 result, a position in the list of LockResult
 * </pre>
 *
 * Answers to calls: {@code 0 u8 version · 1 u8 status · 2 u16 zero · 4 u32 term in ms · 8 u64 epoch · 16 u64 sequence}, and then of CALL the service's
 * answer.
 */
public final class SessionCodec {
    /** Kinds of message. */
    public enum Kind {
        OPEN,
        RENEW,
        CLOSE,
        CALL,
        REQUEST,
        RELEASE,
        GRANT,
        RECALL,
        ALONE,
        LOCK_ENDED,
        ORPHANED,
        YIELD,
        ATTRIBUTES,
        SEVERAL
    }

    /** What an owner says to a call. */
    public enum Status {
        OK,
        /** The node that was asked does not own the volume. */
        NOT_OWNER,
        /** It will, but is not ready yet. */
        NOT_READY,
        /** It knows no such session any more: begin anew. */
        ENDED
    }

    /** Who speaks, and what about. */
    public record Header(Kind kind, int volume, SessionId session) {}

    /**
     * What a node says when it attaches.
     *
     * @param number counts the node's OPENs of the session, from 1 for the one that begins it
     */
    public record Opening(int node, long number, List<TokenMessage.Held> holds) {}

    /** The answer to a call. */
    public record Answer(Status status, int termMs, long epoch, long sequence) {
        public static Answer of(Status status) {
            return new Answer(status, 0, 0, 0);
        }
    }

    /** What arrived makes no sense. */
    public static final class MalformedException extends Exception {
        private static final long serialVersionUID = 1L;

        public MalformedException(String message) {
            super(message);
        }
    }

    public static final int HEADER_BYTES = 16;
    public static final int ANSWER_BYTES = 24;
    private static final byte VERSION = 1;
    private static final int OPEN_BYTES = 16;
    private static final int HELD_BYTES = 32;
    private static final int TOKEN_BYTES = 32;

    // Positions are codes on the wire: new ones go to the end.
    private static final List<Kind> KINDS = List.of(
            Kind.OPEN,
            Kind.RENEW,
            Kind.CLOSE,
            Kind.CALL,
            Kind.REQUEST,
            Kind.RELEASE,
            Kind.GRANT,
            Kind.RECALL,
            Kind.ALONE,
            Kind.LOCK_ENDED,
            Kind.ORPHANED,
            Kind.YIELD,
            Kind.ATTRIBUTES,
            Kind.SEVERAL);
    private static final List<Status> STATUSES = List.of(Status.OK, Status.NOT_OWNER, Status.NOT_READY, Status.ENDED);
    private static final List<Resource.Kind> RESOURCES =
            List.of(Resource.Kind.DATA, Resource.Kind.ATTR, Resource.Kind.ENTRIES);
    private static final List<Mode> MODES = List.of(Mode.SHARED, Mode.EXCLUSIVE);

    private SessionCodec() {}

    private static ByteBuffer start(Kind kind, int volume, SessionId session, int bodyBytes) {
        return ByteBuffer.allocate(HEADER_BYTES + bodyBytes)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put(VERSION)
                .put(code(KINDS, kind))
                .putShort((short) volume)
                .putInt(0)
                .putLong(session.value());
    }

    public static ByteBuffer open(int volume, SessionId session, Opening opening) {
        List<TokenMessage.Held> holds = opening.holds;
        ByteBuffer out = start(Kind.OPEN, volume, session, OPEN_BYTES + holds.size() * HELD_BYTES);
        out.putInt(opening.node).putInt(holds.size()).putLong(opening.number);
        for (TokenMessage.Held held : holds) {
            out.putLong(held.resource().inode());
            putKinds(out, held.resource(), held.mode());
            out.putLong(held.fromByte()).putLong(held.toByte());
        }
        return out.flip();
    }

    /** RENEW and CLOSE. */
    public static ByteBuffer plain(Kind kind, int volume, SessionId session) {
        return start(kind, volume, session, 0).flip();
    }

    public static ByteBuffer call(int volume, SessionId session, long number, long answeredBelow, ByteBuffer request) {
        return start(Kind.CALL, volume, session, 2 * Long.BYTES + request.remaining())
                .putLong(number)
                .putLong(answeredBelow)
                .put(request.duplicate())
                .flip();
    }

    public static ByteBuffer alone(int volume, SessionId session, boolean alone) {
        return start(Kind.ALONE, volume, session, 1).put((byte) (alone ? 1 : 0)).flip();
    }

    /** An inode has lost its last name. */
    public static ByteBuffer orphaned(int volume, SessionId session, long inode) {
        return start(Kind.ORPHANED, volume, session, Long.BYTES).putLong(inode).flip();
    }

    /** What a grant that follows is about; {@code payload} is for the receiver to make sense of. */
    public static ByteBuffer attributes(int volume, SessionId session, ByteBuffer payload) {
        return start(Kind.ATTRIBUTES, volume, session, payload.remaining())
                .put(payload.duplicate())
                .flip();
    }

    /** Several messages in one; each from position to limit. */
    public static ByteBuffer several(int volume, SessionId session, List<ByteBuffer> messages) {
        int bytes = Integer.BYTES;
        for (ByteBuffer message : messages) {
            bytes += Integer.BYTES + message.remaining();
        }
        ByteBuffer out = start(Kind.SEVERAL, volume, session, bytes).putInt(messages.size());
        for (ByteBuffer message : messages) {
            out.putInt(message.remaining()).put(message.duplicate());
        }
        return out.flip();
    }

    /** The rest of a message that is several. */
    public static List<ByteBuffer> several(ByteBuffer in) throws MalformedException {
        need(in, Integer.BYTES);
        int count = in.getInt();
        if (count < 0 || count > in.remaining() / (Integer.BYTES + HEADER_BYTES)) {
            throw new MalformedException(count + " messages in " + in.remaining() + " bytes");
        }
        List<ByteBuffer> messages = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            need(in, Integer.BYTES);
            int length = in.getInt();
            if (length < HEADER_BYTES) {
                throw new MalformedException("a message of " + length + " bytes");
            }
            need(in, length);
            messages.add(in.slice(in.position(), length).order(ByteOrder.LITTLE_ENDIAN));
            in.position(in.position() + length);
        }
        return messages;
    }

    /** A lock request that waited has ended; {@code result} is for the receiver to make sense of. */
    public static ByteBuffer lockEnded(int volume, SessionId session, long request, int result) {
        return start(Kind.LOCK_ENDED, volume, session, Long.BYTES + 1)
                .putLong(request)
                .put((byte) result)
                .flip();
    }

    public static ByteBuffer token(int volume, SessionId session, TokenMessage message) {
        return switch (message) {
            case TokenMessage.Request m ->
                token(Kind.REQUEST, volume, session, m.resource(), m.mode(), m.fromByte(), m.toByte(), 8)
                        .putLong(m.id())
                        .flip();
            case TokenMessage.Release m ->
                token(Kind.RELEASE, volume, session, m.resource(), m.keep(), m.fromByte(), m.toByte(), 8)
                        .putLong(m.seen())
                        .flip();
            case TokenMessage.Grant m ->
                token(Kind.GRANT, volume, session, m.resource(), m.mode(), m.fromByte(), m.toByte(), 16)
                        .putLong(m.sequence())
                        .putLong(m.id())
                        .flip();
            case TokenMessage.Recall m ->
                token(Kind.RECALL, volume, session, m.resource(), m.keep(), m.fromByte(), m.toByte(), 0)
                        .flip();
            case TokenMessage.Yield m ->
                token(Kind.YIELD, volume, session, m.resource(), m.keep(), m.fromByte(), m.toByte(), 0)
                        .flip();
        };
    }

    private static ByteBuffer token(
            Kind kind,
            int volume,
            SessionId session,
            Resource resource,
            @Nullable Mode mode,
            long from,
            long to,
            int more) {
        ByteBuffer out = start(kind, volume, session, TOKEN_BYTES + more).putLong(resource.inode());
        putKinds(out, resource, mode);
        return out.putLong(from).putLong(to);
    }

    private static void putKinds(ByteBuffer out, Resource resource, @Nullable Mode mode) {
        out.put(code(RESOURCES, resource.kind()))
                .put((byte) (mode == null ? 0 : code(MODES, mode) + 1))
                .putShort((short) 0)
                .putInt(0);
    }

    public static ByteBuffer answer(Answer answer, ByteBuffer payload) {
        return ByteBuffer.allocate(ANSWER_BYTES + payload.remaining())
                .order(ByteOrder.LITTLE_ENDIAN)
                .put(VERSION)
                .put(code(STATUSES, answer.status))
                .putShort((short) 0)
                .putInt(answer.termMs)
                .putLong(answer.epoch)
                .putLong(answer.sequence)
                .put(payload.duplicate())
                .flip();
    }

    public static ByteBuffer answer(Answer answer) {
        return answer(answer, ByteBuffer.allocate(0));
    }

    /** Reads the header; the buffer stands at the body then. */
    public static Header header(ByteBuffer in) throws MalformedException {
        if (in.remaining() < HEADER_BYTES) {
            throw new MalformedException("a message of " + in.remaining() + " bytes");
        }
        version(in);
        Kind kind = pick(KINDS, in.get(), "kind");
        int volume = Short.toUnsignedInt(in.getShort());
        in.getInt();
        return new Header(kind, volume, new SessionId(in.getLong()));
    }

    /** The rest of an OPEN. */
    public static Opening opening(ByteBuffer in) throws MalformedException {
        need(in, OPEN_BYTES);
        int node = in.getInt();
        int count = in.getInt();
        long number = in.getLong();
        if (node < 1 || node > 0xFFFF) {
            throw new MalformedException("node " + node);
        }
        if (number < 1) {
            throw new MalformedException("OPEN number " + number);
        }
        return new Opening(node, number, holds(count, in));
    }

    private static List<TokenMessage.Held> holds(int count, ByteBuffer in) throws MalformedException {
        if (count < 0 || (long) count * HELD_BYTES != in.remaining()) {
            throw new MalformedException(count + " holdings in " + in.remaining() + " bytes");
        }
        List<TokenMessage.Held> holds = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            long inode = in.getLong();
            Resource resource = new Resource(inode, pick(RESOURCES, in.get(), "resource"));
            Mode mode = mode(in);
            if (mode == null) {
                throw new MalformedException("held in no mode");
            }
            long from = in.getLong();
            holds.add(new TokenMessage.Held(resource, from, end(from, in.getLong()), mode));
        }
        return holds;
    }

    /** A number at the start of a body, or what is left of it. */
    public static long number(ByteBuffer in) throws MalformedException {
        need(in, Long.BYTES);
        return in.getLong();
    }

    public static boolean aloneFlag(ByteBuffer in) throws MalformedException {
        need(in, 1);
        return in.get() != 0;
    }

    /** The body of a token message that a node sends. */
    public static TokenMessage.ToOwner toOwner(Kind kind, ByteBuffer in) throws MalformedException {
        need(in, TOKEN_BYTES + 8);
        long inode = in.getLong();
        Resource resource = new Resource(inode, pick(RESOURCES, in.get(), "resource"));
        Mode mode = mode(in);
        long from = in.getLong();
        long to = end(from, in.getLong());
        long last = in.getLong();
        return switch (kind) {
            case REQUEST -> {
                if (mode == null || last == 0) {
                    throw new MalformedException("a request for nothing, or without a number");
                }
                yield new TokenMessage.Request(resource, from, to, mode, last);
            }
            case RELEASE -> new TokenMessage.Release(resource, from, to, mode, last);
            default -> throw new MalformedException("a node does not say " + kind);
        };
    }

    /** The body of a token message that an owner sends. */
    public static TokenMessage.ToNode toNode(Kind kind, ByteBuffer in) throws MalformedException {
        need(in, TOKEN_BYTES);
        long inode = in.getLong();
        Resource resource = new Resource(inode, pick(RESOURCES, in.get(), "resource"));
        Mode mode = mode(in);
        long from = in.getLong();
        long to = end(from, in.getLong());
        return switch (kind) {
            case GRANT -> {
                need(in, 16);
                if (mode == null) {
                    throw new MalformedException("a grant of nothing");
                }
                long sequence = in.getLong();
                yield new TokenMessage.Grant(resource, from, to, mode, sequence, in.getLong());
            }
            case RECALL -> new TokenMessage.Recall(resource, from, to, mode);
            case YIELD -> new TokenMessage.Yield(resource, from, to, mode);
            default -> throw new MalformedException("an owner does not say " + kind);
        };
    }

    /** Reads an answer; the buffer stands at the payload then. */
    public static Answer answer(ByteBuffer in, String from) throws MalformedException {
        if (in.remaining() < ANSWER_BYTES) {
            throw new MalformedException("an answer of " + in.remaining() + " bytes from " + from);
        }
        version(in);
        Status status = pick(STATUSES, in.get(), "status");
        in.getShort();
        int termMs = in.getInt();
        long epoch = in.getLong();
        return new Answer(status, termMs, epoch, in.getLong());
    }

    private static void version(ByteBuffer in) throws MalformedException {
        byte version = in.get();
        if (version != VERSION) {
            throw new MalformedException("version " + version + ", this program knows " + VERSION);
        }
    }

    private static @Nullable Mode mode(ByteBuffer in) throws MalformedException {
        try {
            int mode = in.get();
            in.getShort();
            in.getInt();
            return mode == 0 ? null : pick(MODES, mode - 1, "mode");
        } catch (BufferUnderflowException e) {
            throw new MalformedException("cut short");
        }
    }

    private static long end(long from, long to) throws MalformedException {
        if (from < 0 || from >= to) {
            throw new MalformedException("range [" + from + ", " + to + ")");
        }
        return to;
    }

    private static <T> byte code(List<T> codes, T value) {
        return (byte) codes.indexOf(value);
    }

    private static <T> T pick(List<T> codes, int index, String what) throws MalformedException {
        if (index < 0 || index >= codes.size()) {
            throw new MalformedException("unknown " + what + " " + index);
        }
        return codes.get(index);
    }

    private static void need(ByteBuffer in, int bytes) throws MalformedException {
        if (in.remaining() < bytes) {
            throw new MalformedException("cut short: " + in.remaining() + " bytes left, " + bytes + " needed");
        }
    }
}
