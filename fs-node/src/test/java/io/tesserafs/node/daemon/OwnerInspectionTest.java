package io.tesserafs.node.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.tesserafs.coherence.membership.NodeId;
import io.tesserafs.coherence.session.SessionCodec;
import io.tesserafs.coherence.session.SessionTerms;
import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.coherence.token.OwnerLink;
import io.tesserafs.coherence.token.Resource;
import io.tesserafs.coherence.token.TokenMessage;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.admin.AdminClient;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.Json;
import io.tesserafs.node.namespace.OwnerFixture;
import io.tesserafs.node.session.OwnedVolume;
import io.tesserafs.node.session.OwnedVolumes;
import io.tesserafs.node.session.QuietEnd;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the owner of a volume tells operators of its sessions and tokens, and does for them. */
class OwnerInspectionTest {
    private static final long INO = 5;
    private static final SessionId A = new SessionId(0xA);
    private static final SessionId B = new SessionId(0xB);

    /** An eviction waits for the end of such a lease. */
    private static final SessionTerms SHORT = new SessionTerms(2_000, 500);

    @TempDir
    Path directory;

    final List<SessionId> fenced = new CopyOnWriteArrayList<>();
    OwnerFixture fixture;
    OwnedVolume owned;

    /** A node that gives every token back as soon as it is asked to. */
    private final class ObedientNode extends QuietEnd {
        private final SessionId session;
        private long seen;

        ObedientNode(SessionId session) {
            this.session = session;
        }

        @Override
        public OwnerLink.Receiver tokens() {
            return message -> {
                switch (message) {
                    case TokenMessage.Grant grant -> seen = grant.sequence();
                    case TokenMessage.Recall recall ->
                        owned.token(
                                session,
                                new TokenMessage.Release(
                                        recall.resource(), recall.fromByte(), recall.toByte(), recall.keep(), seen));
                    case TokenMessage.Yield _ -> {} // nobody waits for it
                }
            };
        }
    }

    @BeforeEach
    void start() throws Exception {
        fixture = new OwnerFixture(directory);
        owned = owner(OwnedVolumes.PATIENT, Map.of());
        attach(A, 1, true);
        attach(B, 2, false);
    }

    private OwnedVolume owner(SessionTerms terms, Map<SessionId, Integer> inherited) {
        return OwnedVolumes.owned(fixture.owner(), 1, terms, inherited, (victim, node) -> fenced.add(victim));
    }

    /** @param local then it lives without renewals */
    private void attach(SessionId session, int node, boolean local) throws Exception {
        var opening = new SessionCodec.Opening(node, 1, List.of());
        assertThat(owned.attach(session, local, opening, new ObedientNode(session)))
                .isNotNull();
    }

    @AfterEach
    void stop() throws Exception {
        owned.close();
        fixture.close();
    }

    private void request(SessionId session, Resource resource, long from, long to, Mode mode) {
        owned.token(session, new TokenMessage.Request(resource, from, to, mode, 1));
    }

    private JsonNode tokens(long ino) throws AdminException {
        return Json.MAPPER
                .<JsonNode>valueToTree(
                        TokenCommands.list(owned, AdminClient.args().put("ino", ino)))
                .path("tokens");
    }

    @Test
    void shouldListTokensOfAFileAndOfTheVolume() throws Exception {
        request(A, Resource.data(INO), 0, 4096, Mode.SHARED);
        request(B, Resource.data(INO), 0, 4096, Mode.SHARED);
        request(B, Resource.attributes(INO + 1), 8192, 12288, Mode.EXCLUSIVE);
        JsonNode tokens = tokens(INO);
        assertThat(tokens).hasSize(2);
        assertThat(tokens.get(0).path("node").asInt()).isEqualTo(1);
        assertThat(tokens.get(0).path("kind").asText()).isEqualTo("data");
        assertThat(tokens.get(0).path("mode").asText()).isEqualTo("shared");
        assertThat(tokens.get(0).has("toByte")).as("to the end").isFalse();
        assertThat(tokens.get(1).path("session").asText()).isEqualTo(B.toString());
        JsonNode all = Json.MAPPER.valueToTree(TokenCommands.list(owned, AdminClient.args()));
        assertThat(all.path("tokens")).hasSize(3);
        assertThat(all.path("more").asBoolean()).isFalse();
    }

    @Test
    void shouldRecallWhatIsHeldOfAFile() throws Exception {
        request(A, Resource.data(INO), 0, FileTokens.TO_END, Mode.EXCLUSIVE);
        request(B, Resource.attributes(INO), 0, 4096, Mode.SHARED);
        request(B, Resource.data(INO + 1), 0, 4096, Mode.SHARED);
        JsonNode answer = Json.MAPPER.valueToTree(
                TokenCommands.recall(owned, AdminClient.args().put("ino", INO)));
        assertThat(answer.path("recalled")).hasSize(2);
        assertThat(tokens(INO)).isEmpty();
        assertThat(tokens(INO + 1)).hasSize(1);
    }

    @Test
    void shouldNotRecallWhileItIsNotKnownWhatIsHeld() throws Exception {
        owned.close();
        owned = owner(OwnedVolumes.PATIENT, Map.of(A, 1));
        assertThatThrownBy(() -> TokenCommands.recall(owned, AdminClient.args().put("ino", INO)))
                .hasMessageContaining("try again");
        JsonNode sessions =
                Json.MAPPER.<JsonNode>valueToTree(SessionCommands.list(owned)).path("sessions");
        assertThat(sessions.get(0).path("state").asText()).isEqualTo("awaited");
        JsonNode owner = Json.MAPPER.valueToTree(SessionCommands.owner(owned, new NodeId(3)));
        assertThat(owner.path("state").asText()).isEqualTo("waiting");
        assertThat(owner.path("node").asInt()).isEqualTo(3);
    }

    @Test
    void shouldListSessions() throws Exception {
        request(B, Resource.data(INO), 0, 4096, Mode.SHARED);
        JsonNode answer = Json.MAPPER.valueToTree(SessionCommands.list(owned));
        assertThat(answer.path("leaseMs").asInt()).isEqualTo(OwnedVolumes.PATIENT.termMs());
        JsonNode second = answer.path("sessions").get(1);
        assertThat(second.path("node").asInt()).isEqualTo(2);
        assertThat(second.path("state").asText()).isEqualTo("active");
        assertThat(second.path("tokens").asInt()).isEqualTo(1);
        assertThat(second.path("locks").asInt()).isZero();
    }

    @Test
    void shouldFenceTheNodeWhoseSessionIsEvicted() throws Exception {
        owned.close();
        owned = owner(SHORT, Map.of());
        attach(A, 1, true);
        attach(B, 2, true); // else it may end before it is evicted
        request(B, Resource.data(INO), 0, 4096, Mode.EXCLUSIVE);
        JsonNode answer = Json.MAPPER.valueToTree(
                SessionCommands.evict(owned, AdminClient.args().put("node", 2)));
        assertThat(answer.path("sessions").get(0).asText()).isEqualTo(B.toString());
        assertThat(fenced).containsExactly(B);
        assertThat(owned.renew(B)).isFalse();
        assertThat(owned.renew(A)).isTrue();
        assertThat(tokens(INO)).isEmpty();
        assertThatThrownBy(() -> SessionCommands.evict(owned, AdminClient.args().put("node", 2)))
                .hasMessageContaining("node 2 has no session");
        assertThatThrownBy(() -> SessionCommands.evict(owned, AdminClient.args().put("node", "x")))
                .hasMessageContaining("not a number");
    }
}
