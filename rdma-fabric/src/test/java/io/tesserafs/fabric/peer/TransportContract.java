package io.tesserafs.fabric.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.tesserafs.fabric.peer.PeerException.Reason;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;

/** What every transport owes its callers. A provider's test binds it to two transports of one cluster. */
@Timeout(60)
public abstract class TransportContract {
    protected static final int ECHO = 101;
    protected static final int STUCK = 102;
    protected static final int RECORDING = 103;
    protected static final int FAILING = 104;
    protected static final int CALLING_BACK = 105;
    protected static final long PLENTY_MS = 30_000;

    protected static final PeerId ALICE = new PeerId(1, 0xA11CE);
    protected static final PeerId BOB = new PeerId(0xFFFF, -1);

    /** Lets STUCK go on. */
    protected final CountDownLatch released = new CountDownLatch(1);

    protected final CountDownLatch stuckEntered = new CountDownLatch(1);
    protected final BlockingQueue<String> recorded = new LinkedBlockingQueue<>();

    protected Transport alice;
    protected Transport bob;
    /** Bob's. */
    protected String endpoint;

    protected Connection connection;

    /** Not started. */
    protected abstract Transport transport(PeerId self);

    @BeforeEach
    void connectBoth() throws Exception {
        alice = transport(ALICE);
        bob = transport(BOB);
        serveAll(alice);
        serveAll(bob);
        endpoint = bob.start();
        connection = alice.connect(endpoint);
    }

    @AfterEach
    void closeBoth() {
        released.countDown();
        alice.close();
        bob.close();
    }

    protected final void serveAll(Transport transport) {
        transport.serve(ECHO, new Calls((from, request) -> copy(request)));
        transport.serve(STUCK, new Calls((from, request) -> {
            stuckEntered.countDown();
            released.await();
            return copy(request);
        }));
        transport.serve(RECORDING, new Recorder());
        transport.serve(FAILING, new Calls((from, request) -> {
            throw new IOException("cannot do that");
        }));
        transport.serve(CALLING_BACK, new Calls((from, request) -> from.call(ECHO, request, PLENTY_MS)));
    }

    private interface Call {
        ByteBuffer call(Connection from, ByteBuffer request) throws Exception;
    }

    private record Calls(Call call) implements Service {
        @Override
        public ByteBuffer call(Connection from, ByteBuffer request) throws Exception {
            return call.call(from, request);
        }

        @Override
        public void notified(Connection from, ByteBuffer message) {
            throw new IllegalStateException("no notification is due");
        }
    }

    private final class Recorder implements Service {
        @Override
        public ByteBuffer call(Connection from, ByteBuffer request) {
            return text(from.peer().toString());
        }

        @Override
        public void notified(Connection from, ByteBuffer message) {
            recorded.add(string(message));
        }

        @Override
        public void closed(Connection from) {
            recorded.add("closed by " + from.peer());
        }
    }

    private static ByteBuffer copy(ByteBuffer buffer) {
        assertThat(buffer.order()).isEqualTo(ByteOrder.LITTLE_ENDIAN);
        return ByteBuffer.allocate(buffer.remaining()).put(buffer).flip();
    }

    protected static ByteBuffer text(String text) {
        return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
    }

    protected static String string(ByteBuffer buffer) {
        return StandardCharsets.UTF_8.decode(buffer).toString();
    }

    protected static PeerException refused(Reason reason, Executable call) {
        PeerException e = assertThrows(PeerException.class, call);
        assertThat(e.reason()).as(e.getMessage()).isEqualTo(reason);
        return e;
    }

    protected final String next() throws InterruptedException {
        return recorded.poll(PLENTY_MS, TimeUnit.MILLISECONDS);
    }

    @Test
    void shouldKnowWhoIsAtTheOtherEnd() throws Exception {
        assertThat(connection.peer()).isEqualTo(BOB);
        assertThat(string(connection.call(RECORDING, text(""), PLENTY_MS))).isEqualTo(ALICE.toString());
    }

    @Test
    void shouldAnswerCallsOfEveryLength() throws Exception {
        Random random = new Random(7);
        for (int length : new int[] {0, 1, 4096, 8191, 8192, 8193, 300_000, Connection.MAX_MESSAGE_BYTES}) {
            byte[] bytes = new byte[length + 8];
            random.nextBytes(bytes);
            ByteBuffer request = ByteBuffer.wrap(bytes, 3, length);
            ByteBuffer answer = connection.call(ECHO, request, PLENTY_MS);
            assertThat(answer).isEqualTo(ByteBuffer.wrap(bytes, 3, length));
            assertThat(answer.order()).isEqualTo(ByteOrder.LITTLE_ENDIAN);
        }
    }

    @Test
    void shouldTakeDirectBuffers() throws Exception {
        ByteBuffer request = ByteBuffer.allocateDirect(100_000);
        request.putLong(50_000, 0x1234567890L);
        assertThat(connection.call(ECHO, request, PLENTY_MS)).isEqualTo(request);
    }

    @Test
    void shouldRefuseMessagesThatAreTooLong() {
        ByteBuffer tooLong = ByteBuffer.allocate(Connection.MAX_MESSAGE_BYTES + 1);
        assertThatThrownBy(() -> connection.call(ECHO, tooLong, PLENTY_MS))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> connection.send(RECORDING, tooLong)).isInstanceOf(IllegalArgumentException.class);
        assertThat(connection.isOpen()).isTrue();
    }

    @Test
    void shouldMatchAnswersToManyCallsAtATime() throws Exception {
        try (ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < 600; i++) {
                int seed = i;
                all.add(callers.submit(() -> {
                    byte[] bytes = new byte[new Random(seed).nextInt(20_000)];
                    new Random(seed).nextBytes(bytes);
                    int service = seed % 2 == 0 ? ECHO : CALLING_BACK;
                    assertThat(connection.call(service, ByteBuffer.wrap(bytes), PLENTY_MS))
                            .isEqualTo(ByteBuffer.wrap(bytes));
                    return null;
                }));
            }
            for (Future<?> one : all) {
                one.get();
            }
        }
    }

    @Test
    void shouldNotStallWhenBothSidesSendMoreThanTheNetworkHolds() throws Exception {
        ByteBuffer large = ByteBuffer.allocate(1 << 20);
        int callers = 8;
        int rounds = 10;
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < callers; i++) {
                int service = i % 2 == 0 ? ECHO : CALLING_BACK;
                all.add(threads.submit(() -> {
                    for (int round = 0; round < rounds; round++) {
                        assertThat(connection.call(service, large, PLENTY_MS).remaining())
                                .isEqualTo(large.remaining());
                        connection.send(RECORDING, large);
                    }
                    return null;
                }));
            }
            for (Future<?> one : all) {
                one.get();
            }
        }
        for (int i = 0; i < callers * rounds; i++) {
            assertThat(next()).hasSize(large.remaining());
        }
    }

    @Test
    void shouldReportWhatAServiceThrows() {
        PeerException failure = refused(Reason.FAILED, () -> connection.call(FAILING, text("x"), PLENTY_MS));
        assertThat(failure).hasMessageContaining("cannot do that");
        refused(Reason.BAD_REQUEST, () -> connection.call(77, text("x"), PLENTY_MS));
        assertThat(connection.isOpen()).isTrue();
    }

    @Test
    void shouldTimeOutAndGoOn() throws Exception {
        refused(Reason.LOST, () -> connection.call(STUCK, text("late"), 1));
        released.countDown();
        assertThat(string(connection.call(ECHO, text("next"), PLENTY_MS))).isEqualTo("next");
    }

    @Test
    void shouldDeliverNotificationsInOrderInBothDirections() throws Exception {
        for (int i = 0; i < 1000; i++) {
            connection.send(RECORDING, text("m" + i));
        }
        for (int i = 0; i < 1000; i++) {
            assertThat(next()).isEqualTo("m" + i);
        }
    }

    @Test
    void shouldKeepOrderBetweenNotificationsAndLaterCalls() throws Exception {
        for (int i = 0; i < 100; i++) {
            connection.send(RECORDING, text("m" + i));
            connection.call(ECHO, text(""), PLENTY_MS);
            assertThat(recorded.poll()).isEqualTo("m" + i);
        }
    }

    @Test
    void shouldHoldCallsBackWhenThePeerIsBusyButNotTheRest() throws Exception {
        AtomicInteger unsent = new AtomicInteger();
        try (ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < 2000; i++) {
                all.add(callers.submit(() -> {
                    try {
                        connection.call(STUCK, text("x"), PLENTY_MS);
                    } catch (PeerException e) {
                        unsent.incrementAndGet();
                    }
                }));
            }
            stuckEntered.await();
            connection.send(RECORDING, text("through"));
            assertThat(next()).isEqualTo("through");
            released.countDown();
            for (Future<?> one : all) {
                one.get();
            }
        }
        assertThat(unsent).hasValue(0);
    }

    @Test
    void shouldFailWhatIsUnderWayWhenItCloses() throws Exception {
        CountDownLatch ended = new CountDownLatch(1);
        connection.onClose(ended::countDown);
        try (ExecutorService caller = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Reason> outcome = caller.submit(() -> assertThrows(
                            PeerException.class, () -> connection.call(STUCK, text("x"), PLENTY_MS))
                    .reason());
            stuckEntered.await();
            connection.close();
            connection.close();
            assertThat(outcome.get()).isEqualTo(Reason.LOST);
        }
        ended.await();
        assertThat(connection.isOpen()).isFalse();
        refused(Reason.UNREACHABLE, () -> connection.call(ECHO, text("x"), PLENTY_MS));
        refused(Reason.UNREACHABLE, () -> connection.send(RECORDING, text("x")));
        CountDownLatch again = new CountDownLatch(1);
        connection.onClose(again::countDown);
        again.await();
    }

    @Test
    void shouldTellServicesAfterTheLastNotification() throws Exception {
        for (int i = 0; i < 100; i++) {
            connection.send(RECORDING, text("m" + i));
        }
        connection.call(ECHO, text(""), PLENTY_MS);
        connection.close();
        List<String> all = new ArrayList<>();
        while (!all.contains("closed by " + ALICE)) {
            all.add(next());
        }
        all.remove("closed by " + BOB);
        assertThat(all).hasSize(101).endsWith("m99", "closed by " + ALICE);
    }

    @Test
    void shouldEndWhenThePeerCloses() throws Exception {
        CountDownLatch ended = new CountDownLatch(1);
        connection.onClose(ended::countDown);
        bob.close();
        ended.await();
        refused(Reason.UNREACHABLE, () -> connection.call(ECHO, text("x"), PLENTY_MS));
    }

    @Test
    void shouldNotConnectAfterClose() throws Exception {
        Transport carol = transport(new PeerId(3, 3));
        String gone = carol.start();
        carol.close();
        carol.close();
        refused(Reason.UNREACHABLE, () -> alice.connect(gone));
        refused(Reason.UNREACHABLE, () -> carol.connect(endpoint));
    }
}
