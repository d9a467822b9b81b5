package io.tesserafs.node.daemon;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.AdminException.Code;
import io.tesserafs.node.admin.AdminHandler;
import io.tesserafs.node.namespace.ExtentRef;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.LooseExtent;
import io.tesserafs.node.session.OwnedVolume;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * After this host has lost its memory: makes zeros of what the owner of a volume, another node, does not know to be durable on this node's brick, before
 * anybody reads it. What is there instead of the bytes that were written may be of another file.
 */
final class LooseData {
    private static final Logger LOG = LoggerFactory.getLogger(LooseData.class);

    /** Command for the owner: which extents of a brick are loose. */
    static final String LIST = "volume-loose";
    /** Command for the owner: these are not loose any more. */
    static final String SETTLE = "volume-settle";

    /** In one message; a request is at most 64 KiB. */
    private static final int BATCH = 256;

    private static final String BRICK = "brick";
    private static final String EXTENTS = "extents";
    private static final ObjectMapper JSON = new ObjectMapper();

    private final ClusterOwners owners;
    private final ExportedBrick brick;

    /** An extent as it travels. */
    private record Line(long ino, long tile, int brick, long block, int offset, int bytes, int durable, int valid) {
        static Line of(LooseExtent e) {
            ExtentRef ref = e.ref();
            return new Line(
                    e.ino(),
                    e.tile(),
                    ref.brick().value(),
                    ref.block().value(),
                    ref.offset(),
                    ref.bytes(),
                    e.durableBytes(),
                    e.validBytes());
        }

        LooseExtent extent() {
            if (durable < 0 || durable > valid || valid > bytes) {
                throw new IllegalArgumentException(durable + " of " + valid + " of " + bytes + " bytes");
            }
            return new LooseExtent(
                    ino, tile, new ExtentRef(new BrickId(brick), new BlockId(block), offset, bytes), durable, valid);
        }
    }

    LooseData(ClusterOwners owners, ExportedBrick brick) {
        this.owners = owners;
        this.brick = brick;
    }

    /** What an owner is asked here. Waits for nothing that waits for other nodes. */
    static Map<String, AdminHandler> handlers(Function<String, Optional<OwnedVolume>> owners) {
        return Map.of(
                LIST, args -> list(require(owners, args), args), SETTLE, args -> settle(require(owners, args), args));
    }

    private static OwnedVolume require(Function<String, Optional<OwnedVolume>> owners, ObjectNode args)
            throws AdminException {
        String volume = AdminArgs.text(args, "volume");
        return owners.apply(volume)
                .orElseThrow(() ->
                        new AdminException(Code.UNAVAILABLE, "volume " + volume + " is not owned by the node asked"));
    }

    private static Object list(OwnedVolume owned, ObjectNode args) throws AdminException {
        BrickId asker = new BrickId((int) AdminArgs.number(args, BRICK));
        List<Line> lines = owned.service().looseExtents(asker, BATCH).stream()
                .map(Line::of)
                .toList();
        return Map.of(EXTENTS, lines);
    }

    private static Object settle(OwnedVolume owned, ObjectNode args) throws AdminException {
        List<LooseExtent> settled = extents(args);
        try {
            owned.service().settle(settled);
            owned.service().sync();
        } catch (FsException e) {
            throw AdminArgs.failed(e);
        }
        return Map.of();
    }

    private static List<LooseExtent> extents(JsonNode from) throws AdminException {
        List<LooseExtent> extents = new ArrayList<>();
        try {
            for (JsonNode line : from.path(EXTENTS)) {
                extents.add(JSON.treeToValue(line, Line.class).extent());
            }
        } catch (JsonProcessingException | IllegalArgumentException e) {
            throw new AdminException(Code.BAD_REQUEST, "no list of extents: " + e.getMessage(), e);
        }
        return extents;
    }

    /**
     * Idempotent.
     *
     * @return false if the owner cannot be asked now
     */
    boolean settle(OpenVolume volume) {
        int number = volume.info().number();
        // While this goes on, this node does not become the owner, who then would make good use of what is being
        // cleared.
        synchronized (brick.settling()) {
            if (brick.isSettled(number)) {
                return true;
            }
            try {
                long cleared = clearAll(volume);
                brick.settled(number);
                if (cleared > 0) {
                    LOG.warn(
                            "volume {}: {} extents lost bytes that were never flushed; those read as zeros after the loss of power",
                            volume.info().name(),
                            cleared);
                }
                return true;
            } catch (AdminException | BrickException e) {
                LOG.info(
                        "volume {}: what it lost on this node's brick is not known yet: {}",
                        volume.info().name(),
                        e.getMessage());
                return false;
            }
        }
    }

    private long clearAll(OpenVolume volume) throws AdminException, BrickException {
        String name = volume.info().name();
        SessionId session = new SessionId(volume.info().uuid().getMostSignificantBits() | 1);
        long cleared = 0;
        try (BrickClient own = brick.brick().connect(session)) {
            while (true) {
                JsonNode answer = owners.askElsewhere(name, LIST, request(name), OwnerCommands.QUICK);
                List<LooseExtent> loose = extents(answer);
                if (loose.isEmpty()) {
                    return cleared;
                }
                for (LooseExtent extent : loose) {
                    clear(own, extent);
                }
                ObjectNode settled = request(name);
                settled.set(EXTENTS, answer.path(EXTENTS));
                owners.askElsewhere(name, SETTLE, settled, OwnerCommands.QUICK);
                cleared += loose.size();
            }
        }
    }

    private ObjectNode request(String volume) {
        return JSON.createObjectNode()
                .put("volume", volume)
                .put(BRICK, brick.brick().id().value());
    }

    private void clear(BrickClient own, LooseExtent extent) throws BrickException {
        ExtentRef ref = extent.ref();
        if (!ref.brick().equals(own.brick())) {
            throw new BrickException(BrickException.Reason.NOT_FOUND, "the owner speaks of brick " + ref.brick());
        }
        long from = (long) ref.offset() + extent.durableBytes();
        int bytes = extent.validBytes() - extent.durableBytes();
        BlockHandle handle = own.map(ref.block(), Access.READ_WRITE);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment zeros = arena.allocate(bytes);
            handle.write(from, zeros, 0, bytes);
            handle.flush(from, bytes);
        } finally {
            own.unmap(handle);
        }
    }
}
