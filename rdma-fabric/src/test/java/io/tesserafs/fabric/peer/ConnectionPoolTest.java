package io.tesserafs.fabric.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.peer.PeerException.Reason;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ConnectionPoolTest {
    private long nowNs = -5;
    private boolean reachable = true;
    private final List<String> attempts = new ArrayList<>();
    private final ConnectionPool pool = new ConnectionPool(new FakeTransport(), () -> nowNs);

    private final class FakeTransport implements Transport {
        @Override
        public void serve(int service, Service handler) {
            throw new UnsupportedOperationException();
        }

        @Override
        public String start() {
            throw new UnsupportedOperationException();
        }

        @Override
        public Connection connect(String endpoint) throws PeerException {
            attempts.add(endpoint);
            if (!reachable) {
                throw new PeerException(Reason.UNREACHABLE, "nobody listens");
            }
            return new FakeConnection();
        }

        @Override
        public void close() {}
    }

    private static final class FakeConnection implements Connection {
        private boolean open = true;

        @Override
        public Network network() {
            return Network.TCP;
        }

        @Override
        public PeerId peer() {
            return new PeerId(1, 1);
        }

        @Override
        public ByteBuffer call(int service, ByteBuffer request, long timeoutMs) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void send(int service, ByteBuffer message) {
            throw new UnsupportedOperationException();
        }

        @Override
        public boolean isOpen() {
            return open;
        }

        @Override
        public void onClose(Runnable action) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void close() {
            open = false;
        }
    }

    private void passMs(long ms) {
        nowNs += ms * 1_000_000;
    }

    @Test
    void shouldShareTheConnectionWhileItLives() throws Exception {
        Connection first = pool.get("a");
        assertThat(pool.get("a")).isSameAs(first);
        assertThat(pool.get("b")).isNotSameAs(first);
        first.close();
        assertThat(pool.get("a")).isNotSameAs(first);
        assertThat(attempts).containsExactly("a", "b", "a");
    }

    @Test
    void shouldLeaveAnUnreachableEndpointAloneForLongerAndLonger() throws Exception {
        reachable = false;
        assertFails("nobody listens");
        assertFails("not tried again yet");
        passMs(49);
        assertFails("not tried again yet");
        passMs(1);
        assertFails("nobody listens");
        passMs(99);
        assertFails("not tried again yet");
        for (int i = 0; i < 20; i++) {
            passMs(2000);
            assertThatThrownBy(() -> pool.get("a")).hasMessage("nobody listens");
        }
        passMs(1999);
        assertFails("not tried again yet");
        reachable = true;
        passMs(1);
        pool.get("a").close();
        reachable = false;
        assertThatThrownBy(() -> pool.get("a")).as("at once after it lived").hasMessage("nobody listens");
    }

    private void assertFails(String message) {
        assertThatThrownBy(() -> pool.get("a"))
                .isInstanceOfSatisfying(
                        PeerException.class, e -> assertThat(e.reason()).isEqualTo(Reason.UNREACHABLE))
                .hasMessageContaining(message);
    }
}
