package io.tesserafs.node.namespace;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * Where a volume's log is. Little-endian:
 *
 * <pre>
 * 0 u64 magic · 8 u32 version · 12 u32 number of segments · 16 u64 epoch · 24 u64 first checkpoint block (0: none)
 * 32 u64 first LSN to replay over the checkpoint · 40 u64 LSN at which the checkpoint was complete
 * 48 u64 last LSN if the log was closed cleanly, else 0 · 56 u16 home brick · 58 u16 mirror brick (0: none) · 60 u16 heir (0: none)
 * 62 u16 zero · 64 per segment: u64 block, u64 sequence · u32 CRC-32C of all before
 * </pre>
 *
 * @param epoch of the last owner that began its term: earlier ones, and later ones that never did, have nothing to say
 * @param home the brick that has all blocks of log and checkpoint; of the owner's own node
 * @param mirror another that has them all under the same ids, every acknowledged record included; 0 if there is none
 * @param heir the node that the owner wishes to be the next; 0 if it does not care
 * @param segments in log order; the last ones may be spares that hold no record yet
 */
record Manifest(
        long epoch,
        long checkpointBlock,
        long replayFromLsn,
        long checkpointEndLsn,
        long cleanLsn,
        int home,
        int mirror,
        int heir,
        List<Entry> segments) {
    static final int VERSION = 2;

    private static final long MAGIC = 0x464E414D53534554L; // "TESSMANF"
    private static final int FIXED_BYTES = 64;
    private static final int ENTRY_BYTES = 16;
    /** The copy in a segment's header must fit there; checkpoints keep the log far shorter. */
    static final int MAX_SEGMENTS = 4000;

    /** One segment of the log. */
    record Entry(long block, long sequence) {}

    static final class BadManifestException extends Exception {
        private static final long serialVersionUID = 1L;

        BadManifestException(String message) {
            super(message);
        }
    }

    Manifest {
        segments = List.copyOf(segments);
    }

    static Manifest empty(long epoch) {
        return new Manifest(epoch, 0, 1, 0, 0, 0, 0, 0, List.of());
    }

    /** At the beginning of a term: the log goes on at {@code newHome}, and nowhere else yet. */
    Manifest takenOver(long newEpoch, int newHome, List<Entry> newSegments) {
        return new Manifest(newEpoch, checkpointBlock, replayFromLsn, checkpointEndLsn, 0, newHome, 0, 0, newSegments);
    }

    Manifest withSegments(List<Entry> newSegments) {
        return new Manifest(
                epoch, checkpointBlock, replayFromLsn, checkpointEndLsn, 0, home, mirror, heir, newSegments);
    }

    Manifest withCheckpoint(long block, long fromLsn, long endLsn, List<Entry> newSegments) {
        return new Manifest(epoch, block, fromLsn, endLsn, 0, home, mirror, heir, newSegments);
    }

    Manifest withMirror(int brick) {
        return new Manifest(
                epoch, checkpointBlock, replayFromLsn, checkpointEndLsn, cleanLsn, home, brick, heir, segments);
    }

    Manifest closedAt(long lsn, int newHeir) {
        return new Manifest(
                epoch, checkpointBlock, replayFromLsn, checkpointEndLsn, lsn, home, mirror, newHeir, segments);
    }

    byte[] encode() {
        ByteBuffer out = ByteBuffer.allocate(FIXED_BYTES + segments.size() * ENTRY_BYTES + Integer.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN);
        out.putLong(MAGIC)
                .putInt(VERSION)
                .putInt(segments.size())
                .putLong(epoch)
                .putLong(checkpointBlock);
        out.putLong(replayFromLsn).putLong(checkpointEndLsn).putLong(cleanLsn);
        out.putShort((short) home)
                .putShort((short) mirror)
                .putShort((short) heir)
                .putShort((short) 0);
        for (Entry entry : segments) {
            out.putLong(entry.block).putLong(entry.sequence);
        }
        CRC32C crc = new CRC32C();
        crc.update(out.array(), 0, out.position());
        out.putInt((int) crc.getValue());
        return out.array();
    }

    static Manifest decode(byte[] bytes) throws BadManifestException {
        ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        if (bytes.length < FIXED_BYTES + Integer.BYTES || in.getLong() != MAGIC) {
            throw new BadManifestException("not a manifest");
        }
        int version = in.getInt();
        if (version != VERSION) {
            throw new BadManifestException("manifest of version " + version + ", this program knows " + VERSION);
        }
        int count = in.getInt();
        if (count < 0 || count > MAX_SEGMENTS || bytes.length != FIXED_BYTES + count * ENTRY_BYTES + Integer.BYTES) {
            throw new BadManifestException("manifest of " + bytes.length + " bytes names " + count + " segments");
        }
        CRC32C crc = new CRC32C();
        crc.update(bytes, 0, bytes.length - Integer.BYTES);
        if (in.getInt(bytes.length - Integer.BYTES) != (int) crc.getValue()) {
            throw new BadManifestException("manifest checksum does not match");
        }
        long epoch = in.getLong();
        long checkpoint = in.getLong();
        long from = in.getLong();
        long end = in.getLong();
        long clean = in.getLong();
        int home = in.getShort() & 0xFFFF;
        int mirror = in.getShort() & 0xFFFF;
        int heir = in.getShort() & 0xFFFF;
        if (in.getShort() != 0 || mirror != 0 && (home == 0 || mirror == home)) {
            throw new BadManifestException("manifest with home brick " + home + " and mirror " + mirror);
        }
        List<Entry> segments = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            segments.add(new Entry(in.getLong(), in.getLong()));
        }
        return new Manifest(epoch, checkpoint, from, end, clean, home, mirror, heir, segments);
    }
}
