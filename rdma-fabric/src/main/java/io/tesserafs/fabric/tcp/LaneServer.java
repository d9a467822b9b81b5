package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.tcp.LaneLayout.Request;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The target's end of a lane. Key, session, bounds and access are checked again with every chunk.
 *
 * <p>Bytes go through a chunk's worth of memory that stays in the cache, not straight between socket and pool: a handle counts as
 * busy only while such a chunk is copied. So nobody who kills a handle ever waits for a peer that stopped in the middle of a
 * transfer, and a late byte from the network finds a dead handle.
 */
final class LaneServer {
    private final PeerExports exports;
    private final Wire wire;
    private final ByteBuffer in;
    private final ByteBuffer out;
    private final MemorySegment outBytes;

    LaneServer(PeerExports exports, Wire wire) {
        this.exports = exports;
        this.wire = wire;
        this.in = ByteBuffer.allocateDirect(LaneLayout.REQUEST_BYTES + LaneLayout.CHUNK_BYTES)
                .order(ByteOrder.LITTLE_ENDIAN);
        this.out = ByteBuffer.allocateDirect(LaneLayout.ANSWER_BYTES + LaneLayout.CHUNK_BYTES)
                .order(ByteOrder.LITTLE_ENDIAN);
        this.outBytes = MemorySegment.ofBuffer(out.duplicate().clear());
    }

    /** Until the lane ends. */
    void run() throws IOException {
        while (true) {
            in.clear();
            // The start of what is to be written comes along if it is there: there is no next request before this one
            // is answered.
            while (in.position() < LaneLayout.REQUEST_BYTES) {
                read();
            }
            Request request = LaneLayout.request(in, BlockId.BLOCK_BYTES);
            in.flip().position(LaneLayout.REQUEST_BYTES);
            switch (request.operation()) {
                case READ -> sendBlock(request);
                case WRITE -> receive(request);
                case FLUSH -> flush(request);
                case FLUSH_ALL -> flushAll(request);
            }
        }
    }

    private void read() throws IOException {
        if (wire.read(in) < 0) {
            throw new EOFException("closed by the peer");
        }
    }

    private void sendBlock(Request request) throws IOException {
        long done = 0;
        do {
            long length = Math.min(LaneLayout.CHUNK_BYTES, request.length() - done);
            int status = 0;
            try {
                exports.handle(request.key(), request.session())
                        .read(request.offset() + done, outBytes, LaneLayout.ANSWER_BYTES, length);
            } catch (BrickException e) {
                status = BrickAnswers.status(e.reason());
                length = 0;
            }
            answer(status, request, (int) length);
            if (status != 0) {
                return;
            }
            done += length;
        } while (done < request.length());
    }

    private void receive(Request request) throws IOException {
        long done = 0;
        int status = 0;
        while (true) {
            int here = in.remaining();
            if (here > request.length() - done) {
                throw new ProtocolException("more bytes than were announced");
            }
            if (status == 0 && (here > 0 || request.length() == 0)) {
                status = write(request, done, here);
            }
            done += here;
            if (done == request.length()) {
                break;
            }
            in.clear().limit((int) Math.min(LaneLayout.CHUNK_BYTES, request.length() - done));
            while (in.hasRemaining()) {
                read();
            }
            in.flip();
        }
        answer(status, request, 0);
    }

    private int write(Request request, long done, int length) {
        try {
            BlockHandle handle = exports.handle(request.key(), request.session());
            handle.write(request.offset() + done, MemorySegment.ofBuffer(in), 0, length);
            return 0;
        } catch (BrickException e) {
            return BrickAnswers.status(e.reason());
        }
    }

    private void flush(Request request) throws IOException {
        if (in.hasRemaining()) {
            throw new ProtocolException("more bytes than were announced");
        }
        answer(flush(request.key(), request.session(), request.offset(), request.length()), request, 0);
    }

    private void flushAll(Request request) throws IOException {
        while (in.remaining() < request.length()) {
            in.compact();
            read();
            in.flip();
        }
        if (in.remaining() > request.length()) {
            throw new ProtocolException("more bytes than were announced");
        }
        int status = 0;
        while (status == 0 && in.hasRemaining()) {
            LaneLayout.Range range = LaneLayout.takeRange(in);
            status = flush(range.key(), request.session(), range.offset(), range.length());
        }
        answer(status, request, 0);
    }

    private int flush(HandleKey key, SessionId session, long offset, long length) {
        try {
            exports.handle(key, session).flush(offset, length);
            return 0;
        } catch (BrickException e) {
            if (e.reason() == Reason.IO) {
                exports.warn("flush", e);
            }
            return BrickAnswers.status(e.reason());
        }
    }

    private void answer(int status, Request request, int dataBytes) throws IOException {
        out.clear();
        LaneLayout.putAnswer(out, status, request.number());
        out.position(0).limit(LaneLayout.ANSWER_BYTES + dataBytes);
        wire.writeFully(out);
    }
}
