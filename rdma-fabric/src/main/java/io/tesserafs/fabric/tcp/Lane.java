package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.tcp.LaneLayout.Operation;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The initiator's end of a lane: a socket on which one thread at a time sends a request and itself waits for the answer, so that no
 * other thread need be woken. Bytes move between the socket and the caller's memory without a copy if that memory is native.
 *
 * <p>After an exception the lane is of no use.
 */
final class Lane {
    private static final HandleKey NO_KEY = new HandleKey(0, 0);

    private final Wire wire;
    private final ByteBuffer request =
            ByteBuffer.allocateDirect(LaneLayout.REQUEST_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    private final ByteBuffer answer =
            ByteBuffer.allocateDirect(LaneLayout.ANSWER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    private final ByteBuffer[] answerAndBytes = {answer, request};
    private long number;

    Lane(Wire wire) {
        this.wire = wire;
    }

    Wire wire() {
        return wire;
    }

    /** Returns the status. */
    int read(HandleKey key, SessionId session, long offset, MemorySegment target) throws IOException {
        prepare(Operation.READ, key, session, offset, target.byteSize());
        wire.writeFully(request);
        long done = 0;
        int status;
        do {
            long length = Math.min(LaneLayout.CHUNK_BYTES, target.byteSize() - done);
            status = readChunk(target.asSlice(done, length));
            done += length;
        } while (status == 0 && done < target.byteSize());
        return status;
    }

    private int readChunk(MemorySegment target) throws IOException {
        boolean direct = target.isNative();
        ByteBuffer bytes = direct ? target.asByteBuffer() : ByteBuffer.allocate((int) target.byteSize());
        answer.clear();
        answerAndBytes[1] = bytes;
        try {
            while (answer.hasRemaining()) {
                // One call takes both; a failure has no bytes behind it, so nothing else can come.
                if (wire.read(answerAndBytes) < 0) {
                    throw new EOFException("closed by the peer");
                }
            }
        } finally {
            answerAndBytes[1] = request;
        }
        int status = LaneLayout.status(answer, number);
        if (status != 0) {
            return status;
        }
        wire.readFully(bytes);
        if (!direct) {
            target.copyFrom(MemorySegment.ofBuffer(bytes.flip()));
        }
        return 0;
    }

    /** Returns the status. */
    int write(HandleKey key, SessionId session, long offset, MemorySegment source) throws IOException {
        prepare(Operation.WRITE, key, session, offset, source.byteSize());
        if (source.isNative()) {
            wire.writeFully(request, source.asByteBuffer());
        } else {
            ByteBuffer copy = ByteBuffer.allocateDirect((int) source.byteSize());
            MemorySegment.ofBuffer(copy).copyFrom(source);
            wire.writeFully(request, copy);
        }
        return readStatus();
    }

    /** Returns the status. */
    int flush(HandleKey key, SessionId session, long offset, long length) throws IOException {
        prepare(Operation.FLUSH, key, session, offset, length);
        wire.writeFully(request);
        return readStatus();
    }

    /**
     * Returns the status: of the first that could not be flushed, after which none was tried.
     *
     * @param ranges see {@link LaneLayout#putRange}
     */
    int flushAll(SessionId session, ByteBuffer ranges) throws IOException {
        prepare(Operation.FLUSH_ALL, NO_KEY, session, 0, ranges.remaining());
        wire.writeFully(request, ranges);
        return readStatus();
    }

    private void prepare(Operation operation, HandleKey key, SessionId session, long offset, long length) {
        request.clear();
        LaneLayout.put(request, operation, key, session, offset, length, ++number);
        request.flip();
    }

    private int readStatus() throws IOException {
        answer.clear();
        wire.readFully(answer);
        return LaneLayout.status(answer, number);
    }
}
