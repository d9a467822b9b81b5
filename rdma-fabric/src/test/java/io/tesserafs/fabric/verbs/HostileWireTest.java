package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.ibm.disni.verbs.IbvSendWR;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.tcp.WireUpgrade.Invitation;
import io.tesserafs.fabric.verbs.ControlCodec.Offer;
import io.tesserafs.fabric.verbs.ControlCodec.Ticket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Peers with a valid ticket that send what they must not, and strangers without. */
@Tag("rdma")
@Timeout(180)
class HostileWireTest {
    private static final PeerId MALLORY = new PeerId(666, 1);
    private static final int RELEASE_MS = 60_000;
    private static final int OUTCOME_MS = 60_000;

    private VerbsNode here;
    private VerbsNode there;

    @BeforeEach
    void open() throws Exception {
        here = VerbsNode.at("10.77.0.1", new PeerId(1, 1));
        there = VerbsNode.at("10.77.0.2", new PeerId(2, 2));
    }

    @AfterEach
    void close() {
        there.close();
        here.close();
    }

    private Invitation invite() {
        Invitation invitation = here.verbs().wires().invite(MALLORY);
        assertThat(invitation).isNotNull();
        return invitation;
    }

    private static Offer offer(Invitation invitation) {
        ByteBuffer offer = invitation.offer();
        assertThat(ControlCodec.takeStatus(offer)).isZero();
        return ControlCodec.takeOffer(offer);
    }

    private RawQueuePair come(Offer offer) throws IOException {
        return new RawQueuePair(there.verbs().device(), offer);
    }

    private interface Attack {
        void run(RawQueuePair mallory) throws IOException;
    }

    /** Returns what the victim's reader says. */
    private String outcome(Attack attack) throws Exception {
        Invitation invitation = invite();
        try (RawQueuePair mallory = come(offer(invitation));
                ExecutorService reader = Executors.newSingleThreadExecutor()) {
            VerbsWire victim = (VerbsWire) invitation.take();
            assertThat(victim).isNotNull();
            try {
                return outcome(mallory, victim, reader, attack);
            } finally {
                victim.close();
                assertThat(victim.awaitReleased(RELEASE_MS)).isTrue();
            }
        }
    }

    private static String outcome(RawQueuePair mallory, VerbsWire victim, ExecutorService reader, Attack attack)
            throws Exception {
        mallory.message().put(MessageLayout.HEADER_BYTES, "hello".getBytes(StandardCharsets.US_ASCII));
        assertThat(mallory.send(5)).isZero();
        ByteBuffer read = ByteBuffer.allocate(MessageLayout.MESSAGE_BYTES);
        victim.read(read);
        assertThat(StandardCharsets.US_ASCII.decode(read.flip()).toString()).isEqualTo("hello");
        Future<String> outcome = reader.submit(() -> assertThrows(IOException.class, () -> {
                    while (true) {
                        victim.read(read.clear());
                    }
                })
                .getMessage());
        attack.run(mallory);
        return outcome.get(OUTCOME_MS, TimeUnit.MILLISECONDS);
    }

    @Test
    void shouldEndWithAMessageThatIsTooLong() throws Exception {
        assertThat(outcome(mallory -> {
                    int status = mallory.send(IbvSendWR.IBV_WR_SEND, MessageLayout.MESSAGE_BYTES + 1);
                    assertThat(status).isNotZero();
                }))
                .contains("longer than");
    }

    @Test
    void shouldEndWithAPeerThatSendsWithoutCredits() throws Exception {
        int most = MessageLayout.RECEIVES * (MessageLayout.RECEIVES / 2 + 2);
        assertThat(outcome(mallory -> {
                    int status = 0;
                    for (int i = 0; i < most && status == 0; i++) {
                        status = mallory.send(1);
                    }
                }))
                .contains("more than it was allowed");
    }

    @Test
    void shouldEndWithAMessageThatLies() throws Exception {
        int[][] lies = {{100, 0, 0}, {-1, 0, 0}, {5, 1, 0}, {5, MessageLayout.RECEIVES + 1, 0}, {5, 0, 1}};
        for (int[] lie : lies) {
            assertThat(outcome(mallory -> {
                        MessageLayout.putHeader(mallory.message(), lie[0], lie[1]);
                        mallory.message().putShort(MessageLayout.RESERVED_AT, (short) lie[2]);
                        mallory.send(IbvSendWR.IBV_WR_SEND, MessageLayout.HEADER_BYTES + 5);
                    }))
                    .as(Arrays.toString(lie))
                    .contains("breaks the protocol");
        }
    }

    @Test
    void shouldEndWithAMessageWithoutAHeader() throws Exception {
        assertThat(outcome(mallory -> mallory.send(IbvSendWR.IBV_WR_SEND, MessageLayout.HEADER_BYTES - 1)))
                .contains("breaks the protocol");
    }

    /** It uses up a receive, in which there is an older message. */
    @Test
    void shouldNotTakeAWriteForAMessage() throws Exception {
        assertThat(outcome(mallory -> mallory.send(IbvSendWR.IBV_WR_RDMA_WRITE_WITH_IMM, 0)))
                .contains("not a message");
    }

    @Test
    void shouldGiveThePeerNothingToWrite() throws Exception {
        outcome(mallory ->
                assertThat(mallory.send(IbvSendWR.IBV_WR_RDMA_WRITE, 64)).isNotZero());
    }

    @Test
    void shouldEndWhenThePeerGoes() throws Exception {
        assertThat(outcome(RawQueuePair::leave)).contains("closed by the peer");
    }

    @Test
    void shouldLetInWhoShowsATicketAndOnce() throws Exception {
        Invitation invitation = invite();
        Offer offer = offer(invitation);
        Offer forged = new Offer(0, new Ticket(1, 2), offer.address(), false, false);
        assertThatThrownBy(() -> come(forged)).isInstanceOf(IOException.class);
        assertThat(invitation.take()).isNull();
        Invitation second = invite();
        Offer good = offer(second);
        RawQueuePair first = come(good);
        assertThatThrownBy(() -> come(good)).isInstanceOf(IOException.class);
        second.close(); // and the wire that nobody took
        first.close();
        Invitation third = invite();
        Offer late = offer(third);
        third.close();
        assertThatThrownBy(() -> come(late)).isInstanceOf(IOException.class);
    }

    /** Who reads and who writes while nothing comes and nothing can leave. */
    @Test
    void shouldEndReadsAndWritesWhenItIsClosed() throws Exception {
        Invitation invitation = invite();
        try (RawQueuePair _ = come(offer(invitation));
                ExecutorService threads = Executors.newCachedThreadPool()) {
            VerbsWire victim = (VerbsWire) invitation.take();
            assertThat(victim).isNotNull();
            Future<IOException> reader =
                    threads.submit(() -> assertThrows(IOException.class, () -> victim.read(ByteBuffer.allocate(16))));
            AtomicInteger written = new AtomicInteger();
            Future<IOException> writer = threads.submit(() -> assertThrows(IOException.class, () -> {
                while (true) {
                    victim.write(ByteBuffer.allocate(1));
                    written.incrementAndGet();
                }
            }));
            while (written.get() < MessageLayout.RECEIVES - 1) {
                Thread.onSpinWait(); // all but the last credit
            }
            victim.close();
            assertThat(victim.awaitReleased(RELEASE_MS)).isTrue();
            assertThat(reader.get()).hasMessageContaining("closed on this side");
            assertThat(writer.get()).hasMessageContaining("closed on this side");
            assertThat(written).hasValue(MessageLayout.RECEIVES - 1);
        }
    }
}
