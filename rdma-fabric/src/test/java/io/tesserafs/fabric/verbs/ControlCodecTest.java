package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.tcp.RemoteKey;
import io.tesserafs.fabric.verbs.ControlCodec.Offer;
import io.tesserafs.fabric.verbs.ControlCodec.Outcome;
import io.tesserafs.fabric.verbs.ControlCodec.Request;
import io.tesserafs.fabric.verbs.ControlCodec.Ticket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

class ControlCodecTest {
    private static final Ticket TICKET = new Ticket(0x0102030405060708L, 0x1112131415161718L);

    private static String hex(ByteBuffer bytes) {
        byte[] copy = new byte[bytes.remaining()];
        bytes.duplicate().get(copy);
        return HexFormat.of().formatHex(copy);
    }

    private static ByteBuffer bytes(String hex) {
        return ByteBuffer.wrap(HexFormat.of().parseHex(hex));
    }

    @Test
    void shouldKeepItsBytes() throws Exception {
        assertThat(hex(ControlCodec.open(7, new SessionId(9)))).isEqualTo("01000200" + "07000000" + "0900000000000000");
        assertThat(hex(ControlCodec.prepare(7, List.of(new HandleKey(1, 2), new HandleKey(3, 4)))))
                .isEqualTo("02000200" + "07000000" + "0200000000000000" + "0100000000000000" + "0200000000000000"
                        + "0300000000000000" + "0400000000000000");
        assertThat(hex(ControlCodec.close(7))).isEqualTo("03000200" + "07000000");
        InetSocketAddress address = new InetSocketAddress(InetAddress.getByName("10.77.0.1"), 0x1234);
        assertThat(hex(ControlCodec.offered(new Offer(7, TICKET, address, true, false))))
                .isEqualTo("00000000" + "07000000" + "08070605040302011817161514131211" + "01000000" + "34120000"
                        + "04000000" + "0a4d0001");
        assertThat(hex(ControlCodec.offered(new Offer(7, TICKET, address, true, true))))
                .isEqualTo("00000000" + "07000000" + "08070605040302011817161514131211" + "03000000" + "34120000"
                        + "04000000" + "0a4d0001");
        assertThat(hex(ControlCodec.prepared(
                        List.of(Outcome.of(new RemoteKey(0x7f0000001000L, 0x55)), Outcome.failed(ControlCodec.DEAD)))))
                .isEqualTo("00000000" + "00000000" + "0200000000000000" + "00000000" + "55000000" + "00100000007f0000"
                        + "01000000" + "00000000" + "0000000000000000");
        assertThat(HexFormat.of().formatHex(ControlCodec.privateData(TICKET)))
                .isEqualTo("5453525602000000" + "08070605040302011817161514131211");
    }

    @Test
    void shouldReadWhatItWrites() throws Exception {
        List<HandleKey> keys = List.of(new HandleKey(1, 2), new HandleKey(3, 4));
        Request request = ControlCodec.decode(ControlCodec.prepare(7, keys));
        assertThat(request.operation()).isEqualTo(ControlCodec.PREPARE);
        assertThat(request.number()).isEqualTo(7);
        assertThat(ControlCodec.takeKeys(request.rest())).isEqualTo(keys);
        Offer offer = new Offer(7, TICKET, new InetSocketAddress(InetAddress.getByName("fe80::1"), 65535), false, true);
        ByteBuffer answer = ControlCodec.offered(offer);
        assertThat(ControlCodec.takeStatus(answer)).isEqualTo(ControlCodec.DONE);
        assertThat(ControlCodec.takeOffer(answer)).isEqualTo(offer);
        List<Outcome> outcomes = List.of(Outcome.of(new RemoteKey(-1, -2)), Outcome.failed(ControlCodec.UNSUITABLE));
        ByteBuffer regions = ControlCodec.prepared(outcomes);
        assertThat(ControlCodec.takeStatus(regions)).isEqualTo(ControlCodec.DONE);
        assertThat(ControlCodec.takePrepared(2, regions)).isEqualTo(outcomes);
        byte[] padded = Arrays.copyOf(ControlCodec.privateData(TICKET), 56);
        assertThat(ControlCodec.takePrivateData(padded)).isEqualTo(TICKET);
    }

    @Test
    void shouldRefuseWhatMakesNoSense() {
        for (String request : new String[] {
            "",
            "01000100",
            "0100020007000000",
            "0100010007000000" + "0900000000000000",
            "0900020000000000",
            "030002000700000000",
            "0200020007000000",
            "0200020007000000" + "0000000000000000",
            "0200020007000000" + "ffffffff00000000",
            "0200020007000000" + "0100000001000000" + "00".repeat(16),
            "0200020007000000" + "0200000000000000" + "00".repeat(16),
            "0200020007000000" + "2100000000000000" + "00".repeat(33 * 16)
        }) {
            assertThatThrownBy(() -> ControlCodec.decode(bytes(request)))
                    .as(request)
                    .isInstanceOf(IllegalArgumentException.class);
        }
        ByteBuffer regions =
                ControlCodec.prepared(List.of(Outcome.of(new RemoteKey(1, 2)), Outcome.of(new RemoteKey(3, 4))));
        for (int asked : new int[] {0, 1, 3}) {
            ByteBuffer all = regions.duplicate().order(regions.order()).position(4);
            assertThatThrownBy(() -> ControlCodec.takePrepared(asked, all))
                    .isInstanceOf(IllegalArgumentException.class);
        }
        for (int length = 8; length < regions.limit(); length++) {
            ByteBuffer part =
                    regions.duplicate().order(regions.order()).position(4).limit(length);
            assertThatThrownBy(() -> ControlCodec.takePrepared(2, part)).isInstanceOf(IllegalArgumentException.class);
        }
        assertThatThrownBy(() -> ControlCodec.takePrivateData(new byte[56]))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> ControlCodec.takePrivateData(new byte[3]))
                .isInstanceOf(IllegalArgumentException.class);
        ByteBuffer cutOff = ControlCodec.offered(
                new Offer(7, TICKET, new InetSocketAddress(InetAddress.getLoopbackAddress(), 1), true, true));
        for (int length = 4; length < cutOff.limit(); length++) {
            ByteBuffer part =
                    cutOff.duplicate().order(cutOff.order()).position(4).limit(length);
            assertThatThrownBy(() -> ControlCodec.takeOffer(part)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void shouldRefuseAnswersThatAreCutOff() {
        ByteBuffer whole = ControlCodec.prepared(List.of(Outcome.failed(ControlCodec.DEAD)));
        for (int length = 0; length < whole.limit(); length++) {
            ByteBuffer part = whole.duplicate().limit(length);
            assertThatThrownBy(() -> {
                        assertThat(ControlCodec.takeStatus(part)).isEqualTo(ControlCodec.DONE);
                        ControlCodec.takePrepared(1, part);
                    })
                    .as("%d bytes", length)
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }
}
