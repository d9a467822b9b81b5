package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.SessionId;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Owners that stood still, and do not know that there have been others since. */
@Timeout(60)
class DeposedOwnersTest {
    private static final long POLL_MS = 1;

    @TempDir
    Path directory;

    @Test
    void shouldBeFencedOnABrickThatWasAwayInTheirSuccessorsTerm() throws Exception {
        try (BrickNodes nodes = new BrickNodes(directory, 3)) {
            nodes.elect(1);
            while (nodes.manifest().mirror() == 0) {
                Thread.sleep(POLL_MS);
            }
            int successor = nodes.manifest().mirror();
            int away = 5 - successor;
            nodes.down(away);
            nodes.elect(successor);
            nodes.up(away);
            nodes.elect(1);
            for (long epoch = 1; epoch < 3; epoch++) {
                SessionId deposed = OwnerSession.of(BrickNodes.CONFIG.uuid(), epoch);
                while (!nodes.brick(away).isFenced(deposed)) {
                    Thread.sleep(POLL_MS);
                }
            }
        }
    }
}
