package io.tesserafs.coherence.membership;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.Adler32;

/**
 * One transaction log file of ZooKeeper, looked at before the server opens it. Big-endian:
 *
 * <pre>
 * header:  magic "ZKLG" u32 | version u32 (2) | database id u64
 * record:  Adler-32 u64 | length u32 | length bytes | 'B'
 * </pre>
 *
 * after the last record the file is zero (it is allocated ahead).
 *
 * <p>The server answers a write only after an fsync, so a process or a host that dies leaves at most a damaged <em>end</em>: a
 * write(2) cut at a page boundary. ZooKeeper refuses to start on that (checksum), or worse, takes a damaged record in the
 * middle for the end of the file and drops what follows. So the end is cut here (a copy is kept), and damage that is followed by
 * a sound record, which no crash explains, is an error.
 */
final class TxnLogFile {
    private static final int MAGIC = 0x5A4B4C47;
    private static final int HEADER_LENGTH = 16;
    private static final int RECORD_HEAD = 12;
    private static final byte RECORD_END = 'B';

    /** Longest record believed: jute.maxbuffer (1 MiB) and the transaction's own header. */
    private static final int MAX_RECORD_BYTES = 1 << 21;

    private final Path file;
    private final ByteBuffer content;

    TxnLogFile(Path file) throws IOException {
        this.file = file;
        this.content = ByteBuffer.wrap(Files.readAllBytes(file));
    }

    /** Checks the file and cuts a damaged end; the cut bytes are kept as a file in {@code keepIn}. True if it had to cut. */
    boolean repair(Path keepIn) throws IOException {
        int end = soundEnd();
        if (isZeroFrom(end)) {
            return false;
        }
        int later = nextSoundRecord(end + 1);
        if (later >= 0) {
            throw new MembershipException(
                    MembershipException.Reason.DAMAGED,
                    "ZooKeeper's transaction log " + file + " is damaged at byte " + end
                            + " though sound records follow at byte " + later
                            + "; no crash does that. Restore the file from a backup");
        }
        byte[] tail = new byte[content.limit() - end];
        content.get(end, tail);
        Files.write(keepIn.resolve(file.getFileName() + ".damaged-tail"), tail);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.truncate(end);
            channel.force(true);
        }
        return true;
    }

    /** Where the longest sound prefix ends; 0 if not even the header is sound. */
    private int soundEnd() {
        if (content.limit() < HEADER_LENGTH || content.getInt(0) != MAGIC) {
            return 0;
        }
        int at = HEADER_LENGTH;
        for (int next = recordEnd(at); next > 0; next = recordEnd(at)) {
            at = next;
        }
        return at;
    }

    /** End of the sound record at {@code at}, or -1. */
    private int recordEnd(int at) {
        if (at > content.limit() - RECORD_HEAD) {
            return -1;
        }
        long checksum = content.getLong(at);
        int length = content.getInt(at + 8);
        int body = at + RECORD_HEAD;
        if (length <= 0 || length > MAX_RECORD_BYTES || length >= content.limit() - body) {
            return -1;
        }
        if (content.get(body + length) != RECORD_END) {
            return -1;
        }
        Adler32 adler = new Adler32();
        adler.update(content.slice(body, length));
        return adler.getValue() == checksum ? body + length + 1 : -1;
    }

    private int nextSoundRecord(int from) {
        for (int at = from; at <= content.limit() - RECORD_HEAD; at++) {
            if (recordEnd(at) > 0) {
                return at;
            }
        }
        return -1;
    }

    private boolean isZeroFrom(int from) {
        for (int at = from; at < content.limit(); at++) {
            if (content.get(at) != 0) {
                return false;
            }
        }
        return true;
    }
}
