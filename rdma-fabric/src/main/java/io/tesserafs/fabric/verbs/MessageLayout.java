package io.tesserafs.fabric.verbs;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A message of a wire over a queue pair: 8 bytes, little-endian, then the bytes carried. Bytes 6..7 are reserved and zero.
 *
 * <pre>
 *   0  u32  number of bytes carried; the message ends with them
 *   4  u16  receives that the sender has posted again since its last message, for the receiver's use
 * </pre>
 *
 * <p>Both sides have so many receives of so many bytes posted before they connect: that is part of the protocol's version.
 */
final class MessageLayout {
    static final int LENGTH_AT = 0; // u32
    static final int CREDITS_AT = 4; // u16
    static final int RESERVED_AT = 6; // u16
    static final int HEADER_BYTES = 8;

    /** With the header. Most calls fit one; what is larger than a few of these travels by READ and WRITE. */
    static final int MESSAGE_BYTES = 16 << 10;

    static final int MAX_CARRIED_BYTES = MESSAGE_BYTES - HEADER_BYTES;

    /** Hides a delay of 50 us at 10 GB/s; with what is sent, 768 KiB of pinned memory for each connection. */
    static final int RECEIVES = 32;

    private MessageLayout() {}

    /** @param message little-endian */
    static void putHeader(ByteBuffer message, int carriedBytes, int credits) {
        message.putInt(LENGTH_AT, carriedBytes);
        message.putShort(CREDITS_AT, (short) credits);
        message.putShort(RESERVED_AT, (short) 0);
    }

    /**
     * Checks a message that has arrived.
     *
     * @param message little-endian; position and limit are set to the bytes carried
     * @param bytes as the device says
     * @return the credits
     */
    static int open(ByteBuffer message, int bytes) throws IOException {
        if (bytes < HEADER_BYTES || bytes > MESSAGE_BYTES) {
            throw new IOException("the peer breaks the protocol: a message of " + bytes + " bytes");
        }
        int carried = message.getInt(LENGTH_AT);
        int credits = message.getShort(CREDITS_AT) & 0xFFFF;
        if (carried != bytes - HEADER_BYTES || credits > RECEIVES || message.getShort(RESERVED_AT) != 0) {
            throw new IOException("the peer breaks the protocol: %d bytes and %d credits in a message of %d bytes"
                    .formatted(Integer.toUnsignedLong(carried), credits, bytes));
        }
        message.limit(bytes).position(HEADER_BYTES);
        return credits;
    }
}
