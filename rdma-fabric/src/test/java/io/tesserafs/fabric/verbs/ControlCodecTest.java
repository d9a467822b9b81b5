package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.verbs.ControlCodec.Offer;
import io.tesserafs.fabric.verbs.ControlCodec.Prepared;
import io.tesserafs.fabric.verbs.ControlCodec.Request;
import io.tesserafs.fabric.verbs.ControlCodec.Ticket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
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
        assertThat(hex(ControlCodec.open(7, new SessionId(9)))).isEqualTo("01000100" + "07000000" + "0900000000000000");
        assertThat(hex(ControlCodec.prepare(7, new HandleKey(1, 2))))
                .isEqualTo("02000100" + "07000000" + "0100000000000000" + "0200000000000000");
        assertThat(hex(ControlCodec.close(7))).isEqualTo("03000100" + "07000000");
        InetSocketAddress address = new InetSocketAddress(InetAddress.getByName("10.77.0.1"), 0x1234);
        assertThat(hex(ControlCodec.offered(new Offer(7, TICKET, address, true))))
                .isEqualTo("00000000" + "07000000" + "08070605040302011817161514131211" + "01000000" + "34120000"
                        + "04000000" + "0a4d0001");
        assertThat(hex(ControlCodec.prepared(new Prepared(0x7f0000001000L, 0x55))))
                .isEqualTo("00000000" + "00000000" + "00100000007f0000" + "55000000" + "00000000");
        assertThat(HexFormat.of().formatHex(ControlCodec.privateData(TICKET)))
                .isEqualTo("5453525601000000" + "08070605040302011817161514131211");
    }

    @Test
    void shouldReadWhatItWrites() throws Exception {
        Request request = ControlCodec.decode(ControlCodec.prepare(7, new HandleKey(1, 2)));
        assertThat(request.operation()).isEqualTo(ControlCodec.PREPARE);
        assertThat(request.number()).isEqualTo(7);
        assertThat(ControlCodec.takeKey(request.rest())).isEqualTo(new HandleKey(1, 2));
        Offer offer = new Offer(7, TICKET, new InetSocketAddress(InetAddress.getByName("fe80::1"), 65535), false);
        ByteBuffer answer = ControlCodec.offered(offer);
        assertThat(ControlCodec.takeStatus(answer)).isEqualTo(ControlCodec.DONE);
        assertThat(ControlCodec.takeOffer(answer)).isEqualTo(offer);
        ByteBuffer region = ControlCodec.prepared(new Prepared(-1, -2));
        assertThat(ControlCodec.takeStatus(region)).isEqualTo(ControlCodec.DONE);
        assertThat(ControlCodec.takePrepared(region)).isEqualTo(new Prepared(-1, -2));
        byte[] padded = Arrays.copyOf(ControlCodec.privateData(TICKET), 56);
        assertThat(ControlCodec.takePrivateData(padded)).isEqualTo(TICKET);
    }

    @Test
    void shouldRefuseWhatMakesNoSense() {
        for (String request : new String[] {
            "",
            "01000100",
            "0100010007000000",
            "0100020007000000" + "0900000000000000",
            "0900010000000000",
            "030001000700000000"
        }) {
            assertThatThrownBy(() -> ControlCodec.decode(bytes(request)))
                    .as(request)
                    .isInstanceOf(IllegalArgumentException.class);
        }
        assertThatThrownBy(() -> ControlCodec.takePrivateData(new byte[56]))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> ControlCodec.takePrivateData(new byte[3]))
                .isInstanceOf(IllegalArgumentException.class);
        ByteBuffer cutOff = ControlCodec.offered(
                new Offer(7, TICKET, new InetSocketAddress(InetAddress.getLoopbackAddress(), 1), true));
        for (int length = 4; length < cutOff.limit(); length++) {
            ByteBuffer part =
                    cutOff.duplicate().order(cutOff.order()).position(4).limit(length);
            assertThatThrownBy(() -> ControlCodec.takeOffer(part)).isInstanceOf(IllegalArgumentException.class);
        }
    }
}
