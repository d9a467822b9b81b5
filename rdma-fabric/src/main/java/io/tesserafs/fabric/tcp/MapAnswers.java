package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.HandleKey;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of an answer to MAP, little-endian: a header as in {@link BrickAnswers}, whose number is that of the blocks; then for each block, in
 * the order of the request, a u32 status (0: mapped, else why not, as in a header) and
 *
 * <pre>
 *   mapped   u32 index in the pool, 16 key, u32 remote keys that follow (0 or 1), u32 remote key, u64 address
 *   else     u32 length, message in UTF-8
 * </pre>
 */
final class MapAnswers {
    private static final int MAPPED_BYTES = 40;
    private static final int REFUSED_BYTES = 8;

    private MapAnswers() {}

    /** Of one block. */
    sealed interface Outcome {}

    /** @param remote for the peer's device; null if it has not asked, or gets none */
    record Made(int index, HandleKey key, @Nullable RemoteKey remote) implements Outcome {}

    record Refused(BrickException.Reason reason, String message) implements Outcome {
        BrickException exception() {
            return new BrickException(reason, message);
        }
    }

    static ByteBuffer encode(List<Outcome> outcomes) {
        List<ByteBuffer> messages = new ArrayList<>();
        int bytes = 0;
        for (Outcome outcome : outcomes) {
            ByteBuffer message = outcome instanceof Refused r ? FrameLayout.text(r.message) : ByteBuffer.allocate(0);
            messages.add(message);
            bytes += outcome instanceof Refused ? REFUSED_BYTES + message.remaining() : MAPPED_BYTES;
        }
        ByteBuffer out = BrickAnswers.answer(0, outcomes.size(), bytes);
        for (int i = 0; i < outcomes.size(); i++) {
            switch (outcomes.get(i)) {
                case Made made -> put(out, made);
                case Refused refused ->
                    out.putInt(BrickAnswers.status(refused.reason))
                            .putInt(messages.get(i).remaining())
                            .put(messages.get(i));
            }
        }
        return out.flip();
    }

    private static void put(ByteBuffer out, Made made) {
        RemoteKey remote = made.remote;
        BrickCodec.putKey(out.putInt(0).putInt(made.index), made.key)
                .putInt(remote == null ? 0 : 1)
                .putInt(remote == null ? 0 : remote.key())
                .putLong(remote == null ? 0 : remote.address());
    }

    /**
     * @param count that the header has
     * @param asked blocks
     */
    static List<Outcome> take(int count, int asked, ByteBuffer in) throws ProtocolException {
        if (count != asked) {
            throw new ProtocolException("handles to " + count + " blocks instead of " + asked);
        }
        List<Outcome> outcomes = new ArrayList<>(count);
        try {
            for (int i = 0; i < count; i++) {
                int status = in.getInt();
                outcomes.add(status == 0 ? takeMade(in) : takeRefused(status, in));
            }
        } catch (BufferUnderflowException e) {
            throw new ProtocolException("handles that are cut off");
        }
        if (in.hasRemaining()) {
            throw new ProtocolException("handles with " + in.remaining() + " bytes too many");
        }
        return outcomes;
    }

    private static Made takeMade(ByteBuffer in) throws ProtocolException {
        int index = in.getInt();
        HandleKey key = BrickCodec.takeKey(in);
        int remotes = in.getInt();
        RemoteKey remote = takeRemote(in);
        return switch (remotes) {
            case 0 -> new Made(index, key, null);
            case 1 -> new Made(index, key, remote);
            default -> throw new ProtocolException(remotes + " remote keys of one handle");
        };
    }

    private static RemoteKey takeRemote(ByteBuffer in) {
        int key = in.getInt();
        return new RemoteKey(in.getLong(), key);
    }

    private static Refused takeRefused(int status, ByteBuffer in) throws ProtocolException {
        return new Refused(BrickAnswers.reason(status), BrickAnswers.takeText(in));
    }
}
