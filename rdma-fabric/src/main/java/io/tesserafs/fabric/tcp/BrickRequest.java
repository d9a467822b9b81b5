package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.shm.HostProcess;
import io.tesserafs.fabric.tcp.GreetingLayout.Ticket;
import java.util.List;

/** The calls of a brick as they travel. But for OPEN and FORGET each names the client that OPEN returned, which is known to one connection only. */
sealed interface BrickRequest {
    record Open(BrickId brick, SessionId session) implements BrickRequest {}

    record Close(int client) implements BrickRequest {}

    record Describe(int client) implements BrickRequest {}

    record Alloc(int client, List<BlockId> ids) implements BrickRequest {}

    record Free(int client, List<BlockId> ids) implements BrickRequest {}

    /**
     * @param queuePair of the peer's; the first {@code keys} of the handles get remote keys for it
     * @param keys none if 0
     */
    record Map(int client, Access access, int queuePair, int keys, List<BlockId> blocks) implements BrickRequest {}

    /** Asks where the pool's file is, to map it; {@code process} is who will. */
    record Attach(int client, HostProcess process) implements BrickRequest {}

    /** As MAP, by a client that has the pool mapped. */
    record MapShared(int client, Access access, List<BlockId> blocks) implements BrickRequest {}

    /**
     * Ends connections that this peer made before and lost, and that may still live at the target: when it is answered, no byte that
     * travelled on them lands any more. Also says that nothing is held by them.
     */
    record Forget(List<Ticket> connections) implements BrickRequest {}

    record Unmap(int client, List<HandleKey> keys) implements BrickRequest {}

    record ListIds(int client, BlockId from, int max) implements BrickRequest {}

    record Fence(int client, SessionId victim) implements BrickRequest {}
}
