package io.tesserafs.fuse.protocol;

import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.FileSystem;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Checks and decodes requests and calls the filesystem. One per reader thread.
 *
 * <p>Whatever the kernel sends, each request that wants an answer gets exactly one: a malformed one EINVAL or EIO, an unknown one
 * ENOSYS, one that a handler throws on or forgets EIO.
 */
final class Dispatcher {
    private static final Logger LOG = LoggerFactory.getLogger(Dispatcher.class);

    private final Connection connection;
    private final FileSystem fs;
    private final Body body = new Body();
    private final EntryOperations entries;
    private final FileOperations files;
    private final @Nullable WritebackBarrier barrier;

    Dispatcher(Connection connection, FileSystem fs, @Nullable WritebackBarrier barrier) {
        this.connection = connection;
        this.fs = fs;
        this.barrier = barrier;
        this.entries = new EntryOperations(fs, body);
        this.files = new FileOperations(fs, body, connection);
    }

    /** Handles the request of {@code length} bytes in {@code memory}, which is {@code rq}'s buffer. */
    void dispatch(FuseRequest rq, MemorySegment memory, int length) {
        if (length < HeaderLayout.IN_LENGTH) {
            connection.stats.malformed.increment();
            LOG.error("A request of {} bytes has no header and cannot be answered", length);
            return;
        }
        rq.begin(memory);
        connection.stats.countRequest(rq.opcode());
        body.reset(memory, length);
        try {
            decode(rq, memory, length);
        } catch (MalformedRequestException e) {
            if (e.errno()
                    != Errno.ENAMETOOLONG) { // that one is the application's doing: the kernel passes names up to 1024
                // bytes
                connection.stats.malformed.increment();
                LOG.warn("Malformed {}: {}", rq, e.getMessage());
            }
            answerIfOpen(rq, e.errno());
        } catch (Throwable t) {
            // Whatever a handler throws, Errors included, its caller must get an answer and this thread must live on.
            connection.stats.handlerFailures.increment();
            LOG.error("Handler of {} failed", rq, t);
            answerIfOpen(rq, Errno.EIO);
        }
        if (rq.isDetached()) {
            return;
        }
        if (!rq.isAnswered()) {
            connection.stats.unanswered.increment();
            LOG.error("Handler of {} neither answered nor detached it", rq);
            rq.replyError(Errno.EIO);
        }
        rq.end();
    }

    private static void answerIfOpen(FuseRequest rq, int errno) {
        if (!rq.isAnswered()) {
            try {
                rq.replyError(errno);
            } catch (IllegalStateException e) {
                // Detached, and its new owner answered between the check and now: there is nothing left to do.
                LOG.debug("{} was answered elsewhere", rq, e);
            }
        }
    }

    private void decode(FuseRequest rq, MemorySegment memory, int length) {
        int opcode = rq.opcode();
        if (opcode == Opcode.FORGET || opcode == Opcode.BATCH_FORGET || opcode == Opcode.INTERRUPT) {
            rq.expectNoAnswer();
        }
        if (Wire.getU32(memory, HeaderLayout.IN_LEN) != length) {
            throw new MalformedRequestException(
                    Errno.EIO,
                    "header says " + Integer.toUnsignedString(Wire.getU32(memory, HeaderLayout.IN_LEN)) + " bytes, "
                            + length + " received");
        }
        if (body.bytes() < Opcode.minimumBodyBytes(opcode)) {
            throw new MalformedRequestException(Errno.EIO, "body of only " + body.bytes() + " bytes");
        }
        long node = Wire.getU64(memory, HeaderLayout.IN_NODEID);
        if (opcode == Opcode.BATCH_FORGET) {
            batchForget();
            return;
        }
        if (opcode == Opcode.INTERRUPT) {
            interrupt(rq);
            return;
        }
        if (opcode == Opcode.DESTROY) {
            rq.replyOk();
            return;
        }
        if (node == 0) {
            throw new MalformedRequestException(Errno.EINVAL, "node id 0");
        }
        if (barrier != null && barrier.answer(rq, opcode, node, body)) {
            return;
        }
        switch (opcode) {
            case Opcode.READ -> files.read(rq, node);
            case Opcode.WRITE -> files.write(rq, node);
            case Opcode.LOOKUP -> fs.lookup(rq, node, body.name());
            case Opcode.GETATTR -> files.getattr(rq, node);
            case Opcode.FORGET -> fs.forget(node, body.u64(EntryLayout.FORGET_NLOOKUP));
            default -> {
                if (!entries.decode(rq, opcode, node) && !files.decode(rq, opcode, node)) {
                    rq.replyError(Errno.ENOSYS);
                }
            }
        }
    }

    private void batchForget() {
        long count = Integer.toUnsignedLong(body.u32(EntryLayout.BATCH_FORGET_COUNT));
        int first = EntryLayout.BATCH_FORGET_LENGTH;
        if (count > (body.bytes() - first) / EntryLayout.FORGET_ONE_LENGTH) {
            throw new MalformedRequestException(Errno.EIO, count + " forgets in " + body.bytes() + " bytes");
        }
        for (int i = 0; i < count; i++) {
            int at = first + i * EntryLayout.FORGET_ONE_LENGTH;
            fs.forget(body.node(at + EntryLayout.FORGET_ONE_NODEID), body.u64(at + EntryLayout.FORGET_ONE_NLOOKUP));
        }
    }

    /**
     * The request named may have been answered, or have been received by another reader that has not looked at it yet. EAGAIN makes the
     * kernel ask again in the second case and means nothing in the first. It counts only on the channel that the named request
     * was received on, which we do not know: so on all.
     */
    private void interrupt(FuseRequest rq) {
        connection.stats.interrupts.increment();
        if (!connection.interrupt(body.u64(FileLayout.INTERRUPT_UNIQUE))) {
            rq.askAgain();
        }
    }
}
