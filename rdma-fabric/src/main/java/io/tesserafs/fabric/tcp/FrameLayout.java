package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.PeerException.Reason;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetEncoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/**
 * What stands before every message on a connection. 24 bytes, little-endian, followed by the body. Bytes 12..15 are reserved and zero.
 *
 * <pre>
 *   0  u32  magic "TSF1"
 *   4  u32  length of the body
 *   8  u8   type, see FrameType
 *   9  u8   service; 0 where there is none
 *  10  u16  status of an ERROR; 0 elsewhere
 *  16  u64  number of the call, chosen by the caller, repeated in its answer; 0 elsewhere
 * </pre>
 */
final class FrameLayout {
    static final int MAGIC = 0x31465354;
    static final int MAGIC_AT = 0; // u32
    static final int LENGTH_AT = 4; // u32
    static final int TYPE_AT = 8; // u8
    static final int SERVICE_AT = 9; // u8
    static final int STATUS_AT = 10; // u16
    static final int RESERVED_AT = 12; // u32
    static final int ID_AT = 16; // u64
    static final int BYTES = 24;

    /** Of a refusal or an error: enough to say what is wrong, too little to fill a log. */
    static final int MAX_TEXT_BYTES = 512;

    private FrameLayout() {}

    /** A header as received and checked. */
    record Header(FrameType type, int service, int status, long id, int bodyBytes) {}

    /** At the buffer's position, which advances. */
    static void put(ByteBuffer out, FrameType type, int service, int status, long id, int bodyBytes) {
        out.putInt(MAGIC).putInt(bodyBytes).put((byte) type.code()).put((byte) service);
        out.putShort((short) status).putInt(0).putLong(id);
    }

    /** At the buffer's position, which advances. */
    static Header take(ByteBuffer in) throws ProtocolException {
        int at = in.position();
        if (in.getInt(at + MAGIC_AT) != MAGIC) {
            throw new ProtocolException("not a frame: it begins with %08x".formatted(in.getInt(at + MAGIC_AT)));
        }
        int code = in.get(at + TYPE_AT) & 0xFF;
        FrameType type = FrameType.of(code);
        if (type == null) {
            throw new ProtocolException("unknown frame type " + code);
        }
        int length = in.getInt(at + LENGTH_AT);
        if (length < 0 || length > type.maxBodyBytes()) {
            throw new ProtocolException(type + " of " + Integer.toUnsignedString(length) + " bytes");
        }
        if (in.getInt(at + RESERVED_AT) != 0) {
            throw new ProtocolException(type + " with reserved bits set");
        }
        in.position(at + BYTES);
        return new Header(
                type,
                in.get(at + SERVICE_AT) & 0xFF,
                in.getShort(at + STATUS_AT) & 0xFFFF,
                in.getLong(at + ID_AT),
                length);
    }

    static int status(Reason reason) {
        return switch (reason) {
            case UNREACHABLE -> 1;
            case LOST -> 2;
            case REFUSED -> 3;
            case BAD_REQUEST -> 4;
            case FAILED -> 5;
        };
    }

    static Reason reason(int status) throws ProtocolException {
        return switch (status) {
            case 1 -> Reason.UNREACHABLE;
            case 2 -> Reason.LOST;
            case 3 -> Reason.REFUSED;
            case 4 -> Reason.BAD_REQUEST;
            case 5 -> Reason.FAILED;
            default -> throw new ProtocolException("fails a call for an unknown reason, " + status);
        };
    }

    /** As much of it as fits a frame, cut between characters. */
    static ByteBuffer text(String text) {
        ByteBuffer bytes = ByteBuffer.allocate(MAX_TEXT_BYTES);
        CharsetEncoder encoder = StandardCharsets.UTF_8
                .newEncoder()
                .onMalformedInput(CodingErrorAction.REPLACE)
                .onUnmappableCharacter(CodingErrorAction.REPLACE);
        encoder.encode(CharBuffer.wrap(text), bytes, true);
        return bytes.flip();
    }

    /** Of a body; what is not UTF-8 is replaced, what is not printable too, since it ends in a log. */
    static String text(ByteBuffer body) {
        return StandardCharsets.UTF_8.decode(body.duplicate()).toString().replaceAll("\\p{Cntrl}", "?");
    }
}
