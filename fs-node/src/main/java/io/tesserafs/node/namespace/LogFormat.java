package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BlockId;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.UUID;
import java.util.zip.CRC32C;

/**
 * How log segments and checkpoint blocks look. Each is one 2 MiB block, little-endian, that starts with a header of 64 KiB:
 *
 * <pre>
 * 0 u64 magic · 8 u32 version · 12 u32 kind (1 log, 2 checkpoint) · 16 u64 u64 volume UUID · 32 u64 epoch · 40 u64 sequence
 * 48 u64 salt, mixed into every checksum of the block so that what a former user left is never taken for ours
 * 56 u64 next checkpoint block (0: last) · 64 u32 payload bytes (checkpoint) · 68 u32 payload CRC-32C (checkpoint)
 * 72 u32 manifest bytes · 76 manifest as it was when the block was prepared · 65532 u32 CRC-32C of the header before it
 * </pre>
 *
 * Log records follow, each aligned to 8 bytes:
 *
 * <pre>
 * 0 u32 payload bytes · 4 u32 CRC-32C over salt, header from 8 on, payload length, payload · 8 u64 LSN · 16 u64 epoch
 * 24 u64 LSN up to which the log was durable when this was written · 32 u32 kind (1 transaction, 2 end of segment) · 36 u32 0 · 40 payload
 * </pre>
 */
final class LogFormat {
    static final long MAGIC = 0x31474F4C53534554L; // "TESSLOG1"
    static final int VERSION = 1;
    static final int KIND_LOG = 1;
    static final int KIND_CHECKPOINT = 2;

    static final int SEGMENT_BYTES = BlockId.BLOCK_BYTES;
    static final int HEADER_BYTES = 64 << 10;
    static final int MAGIC_AT = 0;
    static final int VERSION_AT = 8;
    static final int KIND_AT = 12;
    static final int VOLUME_AT = 16;
    static final int EPOCH_AT = 32;
    static final int SEQUENCE_AT = 40;
    static final int SALT_AT = 48;
    static final int NEXT_AT = 56;
    static final int PAYLOAD_BYTES_AT = 64;
    static final int PAYLOAD_CRC_AT = 68;
    static final int MANIFEST_BYTES_AT = 72;
    static final int MANIFEST_AT = 76;
    static final int HEADER_CRC_AT = HEADER_BYTES - 4;

    static final int RECORD_HEADER_BYTES = 40;
    static final int RECORD_TRANSACTION = 1;
    static final int RECORD_END = 2;
    /** Every segment keeps room for its end record. */
    static final int MAX_PAYLOAD_BYTES = SEGMENT_BYTES - HEADER_BYTES - 2 * RECORD_HEADER_BYTES;

    private LogFormat() {}

    /** What a header says. */
    record Header(
            int kind,
            UUID volume,
            long epoch,
            long sequence,
            long salt,
            long nextBlock,
            int payloadBytes,
            int payloadCrc,
            byte[] manifest) {}

    static final class BadBlockException extends Exception {
        private static final long serialVersionUID = 1L;

        BadBlockException(String message) {
            super(message);
        }
    }

    static void encodeHeader(Header header, ByteBuffer block) {
        if (header.manifest.length > HEADER_CRC_AT - MANIFEST_AT) {
            throw new IllegalArgumentException("manifest of " + header.manifest.length + " bytes");
        }
        ByteBuffer out =
                block.duplicate().order(ByteOrder.LITTLE_ENDIAN).clear().limit(HEADER_BYTES);
        out.putLong(MAGIC).putInt(VERSION).putInt(header.kind);
        out.putLong(header.volume.getMostSignificantBits()).putLong(header.volume.getLeastSignificantBits());
        out.putLong(header.epoch).putLong(header.sequence).putLong(header.salt).putLong(header.nextBlock);
        out.putInt(header.payloadBytes).putInt(header.payloadCrc);
        out.putInt(header.manifest.length).put(header.manifest);
        while (out.position() < HEADER_CRC_AT) {
            out.put((byte) 0);
        }
        CRC32C crc = new CRC32C();
        crc.update(out.duplicate().flip());
        out.putInt((int) crc.getValue());
    }

    static Header decodeHeader(ByteBuffer block) throws BadBlockException {
        ByteBuffer in = block.duplicate().order(ByteOrder.LITTLE_ENDIAN).clear();
        if (in.getLong(MAGIC_AT) != MAGIC) {
            throw new BadBlockException("not a log or checkpoint block");
        }
        if (in.getInt(VERSION_AT) != VERSION) {
            throw new BadBlockException(
                    "log block of version " + in.getInt(VERSION_AT) + ", this program knows " + VERSION);
        }
        CRC32C crc = new CRC32C();
        crc.update(in.duplicate().limit(HEADER_CRC_AT));
        if ((int) crc.getValue() != in.getInt(HEADER_CRC_AT)) {
            throw new BadBlockException("header checksum does not match");
        }
        int manifestBytes = in.getInt(MANIFEST_BYTES_AT);
        int payloadBytes = in.getInt(PAYLOAD_BYTES_AT);
        if (manifestBytes < 0
                || manifestBytes > HEADER_CRC_AT - MANIFEST_AT
                || payloadBytes < 0
                || payloadBytes > SEGMENT_BYTES - HEADER_BYTES) {
            throw new BadBlockException("header lengths out of range");
        }
        byte[] manifest = new byte[manifestBytes];
        in.get(MANIFEST_AT, manifest);
        return new Header(
                in.getInt(KIND_AT),
                new UUID(in.getLong(VOLUME_AT), in.getLong(VOLUME_AT + 8)),
                in.getLong(EPOCH_AT),
                in.getLong(SEQUENCE_AT),
                in.getLong(SALT_AT),
                in.getLong(NEXT_AT),
                payloadBytes,
                in.getInt(PAYLOAD_CRC_AT),
                manifest);
    }

    static int recordBytes(int payloadBytes) {
        return RECORD_HEADER_BYTES + (payloadBytes + 7 & ~7);
    }

    /** Checksum of the record that starts at {@code at} of {@code block} and has {@code length} payload bytes. */
    static int recordCrc(CRC32C crc, ByteBuffer block, int at, int length, long salt, byte[] scratch12) {
        ByteBuffer.wrap(scratch12)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(0, salt)
                .putInt(8, length);
        crc.reset();
        crc.update(scratch12);
        crc.update(block.duplicate().limit(at + RECORD_HEADER_BYTES + length).position(at + 8));
        return (int) crc.getValue();
    }

    /** A native block-sized buffer as both views: for copying to bricks and for encoding. */
    static ByteBuffer view(MemorySegment buffer) {
        return buffer.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
}
