package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.Connection;
import org.jspecify.annotations.Nullable;

/** What a frame is, and how long its body may be; the bound is checked before anything is allocated for it. */
enum FrameType {
    /** Who connects, and what it can do. Body: {@link GreetingLayout}. */
    HELLO(1, GreetingLayout.HELLO_BYTES),
    /** Who answers, what was agreed on, and the proof that it knows the secret. */
    CHALLENGE(2, GreetingLayout.CHALLENGE_BYTES),
    /** The proof of who connects. */
    PROOF(3, HandshakeKeys.PROOF_BYTES),
    /** The connection stands. Body: the ticket that lanes show. */
    WELCOME(4, GreetingLayout.TICKET_BYTES),
    /** It does not; body: why, UTF-8. */
    REFUSED(5, FrameLayout.MAX_TEXT_BYTES),
    /** Where to connect the better wire, see {@link WireUpgrade}; empty if there is none just now. */
    OFFER(6, WireUpgrade.MAX_OFFER_BYTES),
    /** Whether it was: one byte, 1 if all that follows goes there, 0 if it stays here. */
    CHOICE(7, 1),
    CALL(16, Connection.MAX_MESSAGE_BYTES),
    REPLY(17, Connection.MAX_MESSAGE_BYTES),
    /** Instead of a reply. The status says which {@link io.tesserafs.fabric.peer.PeerException.Reason}; body: message, UTF-8. */
    ERROR(18, FrameLayout.MAX_TEXT_BYTES),
    NOTIFICATION(19, Connection.MAX_MESSAGE_BYTES),
    PING(20, 0),
    PONG(21, 0);

    private static final FrameType[] BY_CODE = new FrameType[32];

    static {
        for (FrameType type : values()) {
            BY_CODE[type.code] = type;
        }
    }

    private final int code;
    private final int maxBodyBytes;

    FrameType(int code, int maxBodyBytes) {
        this.code = code;
        this.maxBodyBytes = maxBodyBytes;
    }

    int code() {
        return code;
    }

    int maxBodyBytes() {
        return maxBodyBytes;
    }

    static @Nullable FrameType of(int code) {
        return code >= 0 && code < BY_CODE.length ? BY_CODE[code] : null;
    }
}
