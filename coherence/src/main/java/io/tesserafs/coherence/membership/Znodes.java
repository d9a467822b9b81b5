package io.tesserafs.coherence.membership;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import org.apache.zookeeper.KeeperException;

/**
 * What the cluster keeps in ZooKeeper, below {@code /tessera/CLUSTER}:
 *
 * <pre>
 * /id                      the cluster's UUID, text
 * /ids/volume, /ids/brick  the last number given out, decimal text
 * /nodes/N                 ephemeral: node N and its incarnation, JSON
 * /bricks/B                brick B, JSON          /pools/UUID   its number, decimal text
 * /volumes/V               volume V, JSON         /names/NAME   its number, decimal text
 * /volumes/V/epoch         the newest epoch and its owner, JSON
 * /volumes/V/manifest      of the log, bytes of the owner's
 * /volumes/V/election      LeaderLatch
 * </pre>
 *
 * Where the cluster has a secret, only who knows it can read or change any of that.
 *
 * <p>JSON fields that a reader does not know are ignored, so that fields may be added.
 */
public final class Znodes {
    public static final String ID = "/id";
    public static final String NODES = "/nodes";
    public static final String BRICKS = "/bricks";
    public static final String POOLS = "/pools";
    public static final String VOLUMES = "/volumes";
    public static final String NAMES = "/names";
    public static final String LAST_VOLUME = "/ids/volume";
    public static final String LAST_BRICK = "/ids/brick";

    /** Volumes and bricks are numbered 1..MAX_NUMBER. */
    public static final int MAX_NUMBER = 0xFFFF;

    private static final ObjectMapper JSON = JsonMapper.builder()
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .build();

    private Znodes() {}

    public static byte[] encode(Object value) {
        try {
            return JSON.writeValueAsBytes(value);
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e); // our own records can always be written
        }
    }

    public static <T> T decode(String path, byte[] bytes, Class<T> type) throws MembershipException {
        try {
            T value = JSON.readValue(bytes, type);
            if (value != null) {
                return value;
            }
        } catch (IOException | IllegalArgumentException e) {
            throw new MembershipException(
                    MembershipException.Reason.DAMAGED, "Entry " + path + " cannot be read: " + e.getMessage(), e);
        }
        throw new MembershipException(MembershipException.Reason.DAMAGED, "Entry " + path + " is empty");
    }

    public static byte[] encodeNumber(int number) {
        return Integer.toString(number).getBytes(StandardCharsets.US_ASCII);
    }

    public static int decodeNumber(String path, byte[] bytes) throws MembershipException {
        String text = new String(bytes, StandardCharsets.US_ASCII);
        try {
            return Integer.parseInt(text);
        } catch (NumberFormatException e) {
            throw new MembershipException(
                    MembershipException.Reason.DAMAGED, "Entry " + path + " holds no number: '" + text + "'", e);
        }
    }

    /** Curator's methods throw Exception; this gives it a reason. */
    public static MembershipException explain(String what, Exception e) {
        if (e instanceof MembershipException known) {
            return known;
        }
        if (e instanceof InterruptedException) {
            Thread.currentThread().interrupt();
            return new MembershipException(MembershipException.Reason.INTERRUPTED, what + ": interrupted", e);
        }
        if (e instanceof KeeperException.NoAuthException) {
            return new MembershipException(
                    MembershipException.Reason.NOT_ALLOWED,
                    what + ": ZooKeeper refuses it: the cluster has another secret than this node",
                    e);
        }
        if (e instanceof KeeperException keeper) {
            MembershipException.Reason reason = switch (keeper.code()) {
                case NONODE -> MembershipException.Reason.NOT_FOUND;
                case NODEEXISTS -> MembershipException.Reason.EXISTS;
                case BADVERSION, NOTEMPTY -> MembershipException.Reason.CONFLICT;
                default -> MembershipException.Reason.UNREACHABLE;
            };
            return new MembershipException(reason, what + ": ZooKeeper says " + keeper.code(), e);
        }
        if (e instanceof RuntimeException broken && !(e instanceof IllegalStateException)) {
            throw broken;
        }
        // Curator says IllegalStateException after it was closed.
        return new MembershipException(MembershipException.Reason.UNREACHABLE, what + ": " + e.getMessage(), e);
    }
}
