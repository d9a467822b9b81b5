package io.tesserafs.node.daemon;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.tesserafs.coherence.membership.BrickRecord;
import io.tesserafs.coherence.membership.NodeId;
import io.tesserafs.coherence.volume.VolumeInfo;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.AdminPeers;
import java.io.IOException;
import java.time.Duration;
import java.util.Arrays;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The second half of a volume's deletion: every node lets go of it, its blocks are freed on all bricks, and only then is it forgotten. What cannot be done
 * now (a node hangs, a brick is away) is tried again by whichever node comes by; meanwhile nobody can open the volume. Idempotent; may block.
 */
final class VolumeRemoval {
    private static final Logger LOG = LoggerFactory.getLogger(VolumeRemoval.class);
    private static final Duration ANSWER = Duration.ofSeconds(5);
    private static final int FREE_BATCH = 4096;

    /** Command for other nodes. */
    static final String FORGET = "volume-forget";

    private final Coordination coordination;
    private final NodeFabric fabric;

    VolumeRemoval(Coordination coordination, NodeFabric fabric) {
        this.coordination = coordination;
        this.fabric = fabric;
    }

    /** Has the other nodes let go of a volume that is marked as being deleted; they would in a while by themselves. */
    void letGoElsewhere(VolumeInfo info) throws IOException {
        for (int member : coordination.members()) {
            if (member != coordination.node().value()) {
                try {
                    AdminPeers.ask(
                            fabric.connect(new NodeId(member)),
                            FORGET,
                            JsonNodeFactory.instance.objectNode().put("volume", info.name()),
                            ANSWER);
                } catch (IOException | AdminException e) {
                    LOG.info("node {} has not let go of volume {} yet: {}", member, info.name(), e.getMessage());
                }
            }
        }
    }

    /** Returns how many blocks it freed. */
    long erase(VolumeInfo info) throws IOException {
        SessionId session = new SessionId(info.uuid().getLeastSignificantBits() | 1);
        long freed = 0;
        for (BrickRecord record : coordination.bricks().list()) {
            BrickId brick = new BrickId(record.brick());
            try (BrickClient client = fabric.fabric().connect(brick, session)) {
                freed += erase(client, info);
            }
        }
        coordination.volumes().remove(info.number());
        LOG.info("volume {} deleted, {} blocks freed", info.name(), freed);
        return freed;
    }

    private static long erase(BrickClient client, VolumeInfo info) throws BrickException {
        long freed = 0;
        while (true) {
            long[] blocks = client.list(BlockId.of(info.number(), 0), FREE_BATCH);
            if (blocks.length == 0) {
                return freed;
            }
            try {
                client.free(Arrays.stream(blocks).mapToObj(BlockId::new).toArray(BlockId[]::new));
                freed += blocks.length;
            } catch (BrickException e) {
                if (e.reason() != Reason.NOT_FOUND) { // another node is at it as well
                    throw e;
                }
            }
        }
    }
}
