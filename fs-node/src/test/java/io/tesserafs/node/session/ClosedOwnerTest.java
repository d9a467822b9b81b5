package io.tesserafs.node.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.coherence.session.SessionCodec;
import io.tesserafs.coherence.session.SessionCodec.Status;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.node.namespace.OwnerFixture;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A node asks an owner that is closed already, but still found. */
class ClosedOwnerTest {
    private static final SessionId SESSION = new SessionId(0xA);
    private static final int NODE = 2;

    @TempDir
    Path directory;

    private static SessionCodec.Opening opening(int number) {
        return new SessionCodec.Opening(NODE, number, List.of());
    }

    @Test
    void shouldNotSayThatTheSessionIsOver() throws Exception {
        try (OwnerFixture fixture = new OwnerFixture(directory)) {
            OwnedVolume owner = OwnedVolumes.owned(fixture.owner(), OwnedVolumes.PATIENT);
            OwnerEndpoint endpoint = new OwnerEndpoint();
            endpoint.add(owner);
            Connection connection = PairedConnection.between(
                    NODE, Map.of(NodeEndpoint.SERVICE, new NodeEndpoint()), 1, Map.of(OwnerEndpoint.SERVICE, endpoint));
            assertThat(owner.attach(SESSION, false, opening(1), new QuietEnd())).isNotNull();
            owner.close();
            assertThatThrownBy(() -> owner.attach(SESSION, false, opening(2), new QuietEnd()))
                    .isInstanceOf(IOException.class);
            SessionCodec.Answer answer = SessionCodec.answer(
                    connection.call(OwnerEndpoint.SERVICE, SessionCodec.open(1, SESSION, opening(3)), 1000), "owner");
            assertThat(answer.status()).isEqualTo(Status.NOT_OWNER);
        }
    }
}
