package io.tesserafs.fabric.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.peer.PeerException.Reason;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.tcp.GreetingLayout.Greeting;
import io.tesserafs.fabric.tcp.GreetingLayout.Purpose;
import io.tesserafs.fabric.tcp.GreetingLayout.Ticket;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** Golden bytes of what goes over the wire. */
class LayoutTest {
    private static byte[] bytes(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return bytes;
    }

    @Test
    void shouldLayOutAFrameHeader() throws Exception {
        ByteBuffer out = ByteBuffer.allocate(FrameLayout.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        FrameLayout.put(out, FrameType.ERROR, 7, 4, 0x1122334455667788L, 0x0102);
        assertThat(HexFormat.of().formatHex(bytes(out.flip())))
                .isEqualTo("54534631" + "02010000" + "12" + "07" + "0400" + "00000000" + "8877665544332211");
        assertThat(FrameLayout.take(out))
                .isEqualTo(new FrameLayout.Header(FrameType.ERROR, 7, 4, 0x1122334455667788L, 0x0102));
        assertThat(out.hasRemaining()).isFalse();
    }

    @Test
    void shouldRefuseHeadersThatMakeNoSense() {
        for (int[] change :
                new int[][] {{0, 0}, {4, 0xFF}, {5, 0xFF}, {7, 0xFF}, {8, 0}, {8, 99}, {8, 0xFF}, {12, 1}}) {
            ByteBuffer header = ByteBuffer.allocate(FrameLayout.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            FrameLayout.put(header, FrameType.PING, 0, 0, 0, 0);
            header.put(change[0], (byte) change[1]);
            assertThatThrownBy(() -> FrameLayout.take(header.flip()))
                    .as(Arrays.toString(change))
                    .isInstanceOf(ProtocolException.class);
        }
    }

    @Test
    void shouldLayOutAGreeting() throws Exception {
        byte[] nonce = new byte[32];
        Arrays.fill(nonce, (byte) 0xEE);
        Greeting greeting = new Greeting(
                1, 2, Purpose.LANE, new PeerId(0xABCD, 5), 256, 512, 3, new UUID(1, 2), new Ticket(8, 9), nonce);
        ByteBuffer encoded = GreetingLayout.encode(greeting);
        assertThat(HexFormat.of().formatHex(bytes(encoded)))
                .isEqualTo("0100" + "0200" + "0200" + "cdab" + "00010000" + "0002" + "0000" + "0300000000000000"
                        + "0500000000000000" + "0100000000000000" + "0200000000000000" + "0800000000000000"
                        + "0900000000000000" + "ee".repeat(32));
        assertThat(GreetingLayout.decode(encoded)).usingRecursiveComparison().isEqualTo(greeting);
        assertThat(HexFormat.of().formatHex(bytes(new Ticket(1, 2).encode())))
                .isEqualTo("01000000000000000200000000000000");
    }

    @Test
    void shouldKeepTheCodesOfReasons() throws Exception {
        for (Reason reason : Reason.values()) {
            assertThat(FrameLayout.reason(FrameLayout.status(reason))).isEqualTo(reason);
        }
        assertThat(FrameLayout.status(Reason.UNREACHABLE)).isEqualTo(1);
        assertThat(FrameLayout.status(Reason.FAILED)).isEqualTo(5);
    }

    @Test
    void shouldDeriveTheSameKeysAsEver() {
        byte[] secret = new byte[16];
        HandshakeKeys keys = new HandshakeKeys(secret, new byte[32], new byte[32]);
        ByteBuffer said = ByteBuffer.wrap(new byte[] {1, 2, 3});
        byte[] initiator = keys.initiatorProof(said);
        byte[] responder = keys.responderProof(said);
        assertThat(initiator).hasSize(HandshakeKeys.PROOF_BYTES).isNotEqualTo(responder);
        assertThat(HexFormat.of().formatHex(initiator))
                .isEqualTo("94c93e1f17b7c76a4ae32eab9a70169f631835b408768c75ef6e348f1bc4090a");
        assertThat(HexFormat.of().formatHex(responder))
                .isEqualTo("549445e1cf211656acb058c4229325544fdb798585f2a5ba401791d6efa2a290");
    }

    @Test
    void shouldCutLongTextsBetweenCharacters() {
        ByteBuffer text = FrameLayout.text("é".repeat(FrameLayout.MAX_TEXT_BYTES));
        assertThat(text.remaining()).isLessThanOrEqualTo(FrameLayout.MAX_TEXT_BYTES);
        assertThat(FrameLayout.text(text)).isEqualTo("é".repeat(FrameLayout.MAX_TEXT_BYTES / 2));
        assertThat(FrameLayout.text(ByteBuffer.wrap(new byte[] {'a', 10, 'b', (byte) 0xFF})))
                .isEqualTo("a?b\uFFFD");
    }
}
