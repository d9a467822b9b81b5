package io.tesserafs.fabric.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.tcp.GreetingLayout.Purpose;
import io.tesserafs.fabric.tcp.GreetingLayout.Ticket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

/** A peer that can break every rule. */
final class RawPeer implements AutoCloseable {
    private final SocketChannel socket;
    final Wire wire;
    final FrameReader reader;
    final FrameWriter writer;

    private RawPeer(SocketChannel socket) throws IOException {
        this.socket = socket;
        wire = new SocketWire(socket);
        reader = new FrameReader(wire);
        writer = new FrameWriter(wire);
    }

    static RawPeer connect(String endpoint) throws IOException {
        return new RawPeer(SocketChannel.open(Endpoint.parse(endpoint).resolve()));
    }

    Handshake.Agreement shakeHands(PeerId self) throws IOException {
        return shakeHands(self, Purpose.CONNECTION, Ticket.NONE);
    }

    Handshake.Agreement shakeHands(PeerId self, Purpose purpose, Ticket ticket) throws IOException {
        return new Handshake(TcpTransportTest.config(self), CallLimits.OURS)
                .initiate(new Line(wire, reader, writer), purpose, ticket);
    }

    /** Makes a call and returns the answer's bytes; skips what else arrives. */
    ByteBuffer call(int service, long id, ByteBuffer request) throws IOException {
        writer.write(FrameType.CALL, service, 0, id, request);
        while (true) {
            FrameLayout.Header header = reader.next();
            ByteBuffer body = reader.body(header);
            if (header.type() == FrameType.REPLY && header.id() == id) {
                return body;
            }
            assertThat(header.type()).as(FrameLayout.text(body)).isNotEqualTo(FrameType.ERROR);
        }
    }

    /** Sends nothing more, but still listens. */
    void finish() throws IOException {
        if (socket.isConnected()) {
            try {
                socket.shutdownOutput();
            } catch (IOException e) {
                assertThat(e).hasMessageMatching("(?i).*not connected.*");
            }
        }
    }

    /** Reads until the end; anything but the end or a reset is an error. */
    void awaitEnd() throws IOException {
        ByteBuffer rest = ByteBuffer.allocate(4096);
        try {
            while (wire.read(rest.clear()) >= 0) {
                // whatever was under way
            }
        } catch (IOException e) {
            assertThat(e).hasMessageMatching("(?i).*(reset|broken pipe).*");
        }
    }

    @Override
    public void close() throws IOException {
        wire.close();
    }
}
