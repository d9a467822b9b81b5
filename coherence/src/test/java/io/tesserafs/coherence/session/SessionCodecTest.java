package io.tesserafs.coherence.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.coherence.session.SessionCodec.Header;
import io.tesserafs.coherence.session.SessionCodec.Kind;
import io.tesserafs.coherence.session.SessionCodec.MalformedException;
import io.tesserafs.coherence.session.SessionCodec.Opening;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.coherence.token.Resource;
import io.tesserafs.coherence.token.TokenMessage;
import io.tesserafs.fabric.brick.SessionId;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

class SessionCodecTest {
    private static final SessionId SESSION = new SessionId(0x0102030405060708L);
    private static final Opening OPENING =
            new Opening(3, 2, List.of(new TokenMessage.Held(Resource.attributes(9), 0x1000, 0x3000, Mode.EXCLUSIVE)));

    private static String hex(ByteBuffer bytes) {
        byte[] array = new byte[bytes.remaining()];
        bytes.duplicate().get(array);
        return HexFormat.of().formatHex(array);
    }

    @Test
    void shouldWriteAnOpenAsDescribed() {
        assertThat(hex(SessionCodec.open(7, SESSION, OPENING)))
                .isEqualTo("01" + "00" + "0700" + "00000000" + "0807060504030201"
                        + "03000000" + "01000000" + "0200000000000000"
                        + "0900000000000000" + "01" + "02" + "000000000000"
                        + "0010000000000000" + "0030000000000000");
    }

    @Test
    void shouldReadAnOpenBack() throws MalformedException {
        ByteBuffer in = SessionCodec.open(7, SESSION, OPENING);
        assertThat(SessionCodec.header(in)).isEqualTo(new Header(Kind.OPEN, 7, SESSION));
        assertThat(SessionCodec.opening(in)).isEqualTo(OPENING);
    }

    @Test
    void shouldRefuseAnOpenWithoutANumber() throws MalformedException {
        ByteBuffer in = SessionCodec.open(7, SESSION, new Opening(3, 0, List.of()));
        assertThat(SessionCodec.header(in).kind()).isEqualTo(Kind.OPEN);
        assertThatThrownBy(() -> SessionCodec.opening(in)).isInstanceOf(MalformedException.class);
    }

    @Test
    void shouldRefuseAnOpenThatIsCutShort() throws MalformedException {
        ByteBuffer whole = SessionCodec.open(7, SESSION, OPENING);
        for (int length = SessionCodec.HEADER_BYTES; length < whole.limit(); length++) {
            ByteBuffer in = whole.duplicate().order(whole.order()).limit(length);
            assertThat(SessionCodec.header(in).kind()).isEqualTo(Kind.OPEN);
            assertThatThrownBy(() -> SessionCodec.opening(in))
                    .as("%d bytes", in.limit())
                    .isInstanceOf(MalformedException.class);
        }
    }

    @Test
    void shouldReadTokenMessagesBack() throws MalformedException {
        Resource file = Resource.data(5);
        List<TokenMessage.ToOwner> toOwner = List.of(
                new TokenMessage.Request(file, 0, 4096, Mode.SHARED, 8),
                new TokenMessage.Release(file, 4096, 8192, null, 9),
                new TokenMessage.Release(file, 4096, 8192, Mode.SHARED, 9));
        for (TokenMessage.ToOwner message : toOwner) {
            ByteBuffer in = SessionCodec.token(7, SESSION, message);
            Kind kind = SessionCodec.header(in).kind();
            assertThat(SessionCodec.toOwner(kind, in)).isEqualTo(message);
        }
        List<TokenMessage.ToNode> toNode = List.of(
                new TokenMessage.Grant(file, 0, Long.MAX_VALUE, Mode.EXCLUSIVE, 11, 8),
                new TokenMessage.Recall(file, 0, 4096, null),
                new TokenMessage.Yield(file, 0, 8192, Mode.SHARED));
        for (TokenMessage.ToNode message : toNode) {
            ByteBuffer in = SessionCodec.token(7, SESSION, message);
            Kind kind = SessionCodec.header(in).kind();
            assertThat(SessionCodec.toNode(kind, in)).isEqualTo(message);
        }
    }

    private static final ByteBuffer RECALL =
            SessionCodec.token(7, SESSION, new TokenMessage.Recall(Resource.data(5), 0, 4096, null));

    @Test
    void shouldReadSeveralMessagesBack() throws MalformedException {
        ByteBuffer in = SessionCodec.several(7, SESSION, List.of(RECALL, SessionCodec.orphaned(7, SESSION, 9)));
        assertThat(SessionCodec.header(in)).isEqualTo(new Header(Kind.SEVERAL, 7, SESSION));
        List<ByteBuffer> messages = SessionCodec.several(in);
        assertThat(messages).hasSize(2);
        assertThat(SessionCodec.header(messages.get(0)).kind()).isEqualTo(Kind.RECALL);
        assertThat(SessionCodec.toNode(Kind.RECALL, messages.get(0)))
                .isEqualTo(new TokenMessage.Recall(Resource.data(5), 0, 4096, null));
        assertThat(SessionCodec.header(messages.get(1)).kind()).isEqualTo(Kind.ORPHANED);
        assertThat(SessionCodec.number(messages.get(1))).isEqualTo(9);
    }

    @Test
    void shouldRefuseSeveralMessagesThatAreCutShort() throws MalformedException {
        ByteBuffer whole = SessionCodec.several(7, SESSION, List.of(RECALL, RECALL));
        for (int length = SessionCodec.HEADER_BYTES; length < whole.limit(); length++) {
            ByteBuffer in = whole.duplicate().order(whole.order()).limit(length);
            assertThat(SessionCodec.header(in).kind()).isEqualTo(Kind.SEVERAL);
            assertThatThrownBy(() -> SessionCodec.several(in))
                    .as("%d bytes", in.limit())
                    .isInstanceOf(MalformedException.class);
        }
    }
}
