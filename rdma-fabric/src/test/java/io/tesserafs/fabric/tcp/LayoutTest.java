package io.tesserafs.fabric.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.BrickInfo;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.PeerException.Reason;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.pmem.FileIdentity;
import io.tesserafs.fabric.shm.HostProcess;
import io.tesserafs.fabric.tcp.GreetingLayout.Greeting;
import io.tesserafs.fabric.tcp.GreetingLayout.Purpose;
import io.tesserafs.fabric.tcp.GreetingLayout.Ticket;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
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

    private static String hex(ByteBuffer buffer) {
        return HexFormat.of().formatHex(bytes(buffer));
    }

    @Test
    void shouldLayOutBrickCalls() throws Exception {
        BlockId block = BlockId.of(1, 2);
        HandleKey key = new HandleKey(3, 4);
        String id = "0200000000000100";
        String wireKey = "03000000000000000400000000000000";
        Map<BrickRequest, String> golden = Map.of(
                new BrickRequest.Open(new BrickId(5), new SessionId(6)),
                "0100000000000000" + "0500000000000000" + "0600000000000000",
                new BrickRequest.Close(9),
                "0200000009000000",
                new BrickRequest.Describe(9),
                "0300000009000000",
                new BrickRequest.Alloc(9, List.of(block, block)),
                "0400000009000000" + "0200000000000000" + id + id,
                new BrickRequest.Free(9, List.of(block)),
                "0500000009000000" + "0100000000000000" + id,
                new BrickRequest.Map(9, Access.READ_WRITE, 7, 1, List.of(block, block)),
                "0600000009000000" + "01000000" + "07000000" + "01000000" + "00000000" + "0200000000000000" + id + id,
                new BrickRequest.Unmap(9, List.of(key, key)),
                "0700000009000000" + "0200000000000000" + wireKey + wireKey,
                new BrickRequest.ListIds(9, block, 10),
                "0800000009000000" + id + "0a000000",
                new BrickRequest.Fence(9, new SessionId(6)),
                "0900000009000000" + "0600000000000000");
        Map<BrickRequest, String> sharing = Map.of(
                new BrickRequest.Attach(9, new HostProcess(new UUID(1, 2), 3, 4, 5)),
                "0a00000009000000" + "0100000000000000" + "0200000000000000" + "0300000000000000" + "0400000000000000"
                        + "0500000000000000",
                new BrickRequest.Forget(List.of(new Ticket(1, 2))),
                "0c00000000000000" + "0100000000000000" + "0100000000000000" + "0200000000000000",
                new BrickRequest.MapShared(9, Access.READ, List.of(block)),
                "0b00000009000000" + "0000000000000000" + "0100000000000000" + id);
        Map<BrickRequest, String> all = new HashMap<>(golden);
        all.putAll(sharing);
        for (Map.Entry<BrickRequest, String> entry : all.entrySet()) {
            ByteBuffer encoded = BrickCodec.encode(entry.getKey());
            assertThat(hex(encoded)).isEqualTo(entry.getValue());
            assertThat(BrickCodec.decode(encoded)).isEqualTo(entry.getKey());
        }
        FileIdentity file = new FileIdentity(new UUID(1, 2), 3, 4, 5);
        ByteBuffer attached = BrickAnswers.attached(file);
        assertThat(hex(attached))
                .isEqualTo("0000000000000000" + "0100000000000000" + "0200000000000000" + "03000000" + "04000000"
                        + "0500000000000000");
        assertThat(BrickAnswers.takeAnswer(attached)).isZero();
        assertThat(BrickAnswers.takeAttached(attached)).isEqualTo(file);
        assertThat(hex(BrickAnswers.listed(1))).isEqualTo("0000000001000000" + "0100000000000000");
        assertThat(hex(BrickAnswers.failed(new BrickException(BrickException.Reason.FENCED, "no"))))
                .isEqualTo("0700000000000000" + "6e6f");
        assertThat(hex(new HandleNotice(HandleNotice.Kind.KILLED, List.of(key)).encode()))
                .isEqualTo("0100000001000000" + wireKey);
    }

    @Test
    void shouldLayOutAnswersToMap() throws Exception {
        HandleKey key = new HandleKey(3, 4);
        String wireKey = "03000000000000000400000000000000";
        List<MapAnswers.Outcome> outcomes = List.of(
                new MapAnswers.Made(8, key, null),
                new MapAnswers.Refused(BrickException.Reason.NOT_FOUND, "no"),
                new MapAnswers.Made(9, key, new RemoteKey(0x7f0000001000L, 0x55)));
        ByteBuffer encoded = MapAnswers.encode(outcomes);
        assertThat(hex(encoded))
                .isEqualTo("0000000003000000" + "00000000" + "08000000" + wireKey + "00000000" + "00000000"
                        + "0000000000000000" + "03000000" + "02000000" + "6e6f" + "00000000" + "09000000" + wireKey
                        + "01000000" + "55000000" + "00100000007f0000");
        assertThat(BrickAnswers.takeAnswer(encoded)).isEqualTo(3);
        for (int length = encoded.position(); length < encoded.limit(); length++) {
            ByteBuffer part = encoded.duplicate().order(encoded.order()).limit(length);
            assertThatThrownBy(() -> MapAnswers.take(3, 3, part)).isInstanceOf(ProtocolException.class);
        }
        for (int count : new int[] {-1, 2, 4, Integer.MAX_VALUE}) {
            ByteBuffer all = encoded.duplicate().order(encoded.order());
            assertThatThrownBy(() -> MapAnswers.take(count, 3, all)).isInstanceOf(ProtocolException.class);
        }
        for (int count : new int[] {2, 4}) {
            ByteBuffer all = encoded.duplicate().order(encoded.order());
            assertThatThrownBy(() -> MapAnswers.take(count, count, all)).isInstanceOf(ProtocolException.class);
        }
        assertThat(MapAnswers.take(3, 3, encoded)).isEqualTo(outcomes);
    }

    @Test
    void shouldRefuseBatchesThatMakeNoSense() {
        String id = "0200000000000100";
        String map = "0600000009000000";
        String maps = "0100000000000000" + id;
        for (String request : new String[] {
            map + "02000000" + "07000000" + "00000000" + "00000000" + maps, // access
            map + "00000000" + "07000000" + "02000000" + "00000000" + maps, // more keys than blocks
            map + "00000000" + "07000000" + "ffffffff" + "00000000" + maps,
            map + "00000000" + "07000000" + "00000000" + "01000000" + maps, // reserved
            map + "00000000" + "07000000" + "00000000" + "00000000" + "0100000001000000" + id,
            map + "00000000" + "07000000" + "00000000" + "00000000" + "ffffffff00000000" + id,
            map + "00000000" + "07000000" + "00000000" + "00000000" + "0200000000000000" + id,
            map + "00000000" + "07000000" + "00000000" + "00000000" + "0104000000000000" + id.repeat(1025),
            map + "00000000" + "07000000" + "21000000" + "00000000" + "2100000000000000" + id.repeat(33), // keys
            "0b00000009000000" + "0000000001000000" + maps,
            "0b00000009000000" + "0000000000000000" + "0104000000000000" + id.repeat(1025),
            "0700000009000000" + "0100000000000000" + id,
            "0700000009000000" + "ffffffff00000000",
            "0700000009000000" + "0104000000000000" + (id + id).repeat(1025)
        }) {
            ByteBuffer in = ByteBuffer.wrap(HexFormat.of().parseHex(request));
            assertThatThrownBy(() -> BrickCodec.decode(in)).as(request).isInstanceOf(ProtocolException.class);
        }
    }

    @Test
    void shouldDescribeABrick() throws Exception {
        BrickInfo info = new BrickInfo(
                new BrickId(5),
                new UUID(1, 2),
                "/p",
                "tmpfs file",
                BrickInfo.Persistence.MSYNC,
                8,
                7,
                true,
                true,
                false,
                4);
        ByteBuffer encoded = BrickAnswers.described(9, info);
        assertThat(hex(encoded))
                .isEqualTo("0000000009000000" + "0500000000000000" + "0100000000000000" + "0200000000000000"
                        + "0800000000000000" + "0700000000000000" + "01000000" + "03000000" + "04000000" + "02000000"
                        + "2f70"
                        + "0a000000" + "746d7066732066696c65");
        assertThat(BrickAnswers.takeAnswer(encoded)).isEqualTo(9);
        assertThat(BrickAnswers.takeDescription(encoded)).isEqualTo(info);
    }

    @Test
    void shouldLayOutWhatTravelsOnALane() throws Exception {
        ByteBuffer request = ByteBuffer.allocate(LaneLayout.REQUEST_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        HandleKey key = new HandleKey(3, 4);
        LaneLayout.put(request, LaneLayout.Operation.WRITE, key, new SessionId(6), 4096, 512, 7);
        assertThat(hex(request.flip()))
                .isEqualTo("54534c31" + "02000000" + "0300000000000000" + "0400000000000000" + "0600000000000000"
                        + "0010000000000000" + "0002000000000000" + "0700000000000000" + "0000000000000000");
        assertThat(LaneLayout.request(request, 512))
                .isEqualTo(new LaneLayout.Request(LaneLayout.Operation.WRITE, key, new SessionId(6), 4096, 512, 7));
        ByteBuffer range = ByteBuffer.allocate(LaneLayout.RANGE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        LaneLayout.putRange(range, key, 4096, 512);
        assertThat(hex(range.flip()))
                .isEqualTo("0300000000000000" + "0400000000000000" + "0010000000000000" + "0002000000000000");
        assertThat(LaneLayout.takeRange(range)).isEqualTo(new LaneLayout.Range(key, 4096, 512));
        ByteBuffer answer = ByteBuffer.allocate(LaneLayout.ANSWER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        LaneLayout.putAnswer(answer, 4, 7);
        assertThat(hex(answer.flip())).isEqualTo("54534c32" + "04000000" + "0700000000000000");
        assertThat(LaneLayout.status(answer, 7)).isEqualTo(4);
    }

    @Test
    void shouldKeepTheCodesOfABricksReasons() throws Exception {
        int code = 1;
        for (BrickException.Reason reason : BrickException.Reason.values()) {
            assertThat(BrickAnswers.status(reason)).isEqualTo(code++);
            assertThat(BrickAnswers.reason(BrickAnswers.status(reason))).isEqualTo(reason);
        }
    }
}
