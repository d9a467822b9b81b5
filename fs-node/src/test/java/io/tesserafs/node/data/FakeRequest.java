package io.tesserafs.node.data;

import io.tesserafs.fuse.Attributes;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.FileLock;
import io.tesserafs.fuse.Request;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A request of no kernel: keeps its one answer. */
final class FakeRequest implements Request {
    /** Far beyond anything a test waits for; a hang ends as a failure. */
    private static final int PATIENCE_S = 30;

    /** What was answered. */
    record Answer(int errno, long number, byte[] data, Attributes attr) {}

    private static final Attributes NONE = null;
    private final CompletableFuture<Answer> answer = new CompletableFuture<>();
    private ByteArrayOutputStream data = new ByteArrayOutputStream();
    private final int uid;

    FakeRequest() {
        this(0);
    }

    FakeRequest(int uid) {
        this.uid = uid;
    }

    private boolean answer(int errno, long number, byte[] bytes, Attributes attr) {
        if (!answer.complete(new Answer(errno, number, bytes, attr))) {
            throw new IllegalStateException("answered twice");
        }
        return true;
    }

    boolean isAnswered() {
        return answer.isDone();
    }

    Answer await() {
        try {
            return answer.get(PATIENCE_S, TimeUnit.SECONDS);
        } catch (InterruptedException | ExecutionException | TimeoutException e) {
            throw new AssertionError("no answer", e);
        }
    }

    @Override
    public long unique() {
        return 1;
    }

    @Override
    public int uid() {
        return uid;
    }

    @Override
    public int gid() {
        return uid;
    }

    @Override
    public int pid() {
        return 1;
    }

    @Override
    public void detach() {}

    @Override
    public boolean interrupted() {
        return false;
    }

    @Override
    public void onInterrupt(Runnable action) {}

    @Override
    public void replyError(int errno) {
        answer(errno, 0, new byte[0], NONE);
    }

    @Override
    public void replyOk() {
        answer(0, 0, new byte[0], NONE);
    }

    @Override
    public boolean replyEntry(Attributes attr, long entryTtlNs, long attrTtlNs) {
        return answer(0, attr.ino(), new byte[0], attr);
    }

    @Override
    public void replyNoEntry(long entryTtlNs) {
        answer(Errno.ENOENT, 0, new byte[0], NONE);
    }

    @Override
    public void replyAttr(Attributes attr, long attrTtlNs) {
        answer(0, attr.ino(), new byte[0], attr);
    }

    @Override
    public boolean replyOpen(long fh, int flags) {
        return answer(0, fh, new byte[0], NONE);
    }

    @Override
    public boolean replyCreate(Attributes attr, long entryTtlNs, long attrTtlNs, long fh, int flags) {
        return answer(0, fh, new byte[0], attr);
    }

    @Override
    public void replyBytes(byte[] bytes) {
        answer(0, 0, bytes, NONE);
    }

    @Override
    public void replyXattr(byte[] value, int size) {
        answer(0, value.length, value, NONE);
    }

    @Override
    public void replyWritten(int count) {
        answer(0, count, new byte[0], NONE);
    }

    @Override
    public void replyOffset(long offset) {
        answer(0, offset, new byte[0], NONE);
    }

    @Override
    public void replyLock(FileLock lock) {
        answer(0, 0, new byte[0], NONE);
    }

    @Override
    public void replyIoctl(int result, byte[] out) {
        answer(0, result, out, NONE);
    }

    @Override
    public void replyStatfs(
            long blocks,
            long free,
            long available,
            long files,
            long freeFiles,
            int blockSize,
            int nameMax,
            int fragmentSize) {
        answer(0, free, new byte[0], NONE);
    }

    @Override
    public void addData(MemorySegment memory, long offset, int length) {
        data.writeBytes(memory.asSlice(offset, length).toArray(ValueLayout.JAVA_BYTE));
    }

    @Override
    public void clearData() {
        data = new ByteArrayOutputStream();
    }

    @Override
    public void addZeros(int length) {
        data.writeBytes(new byte[length]);
    }

    @Override
    public void replyData() {
        answer(0, data.size(), data.toByteArray(), NONE);
    }

    @Override
    public Directory directory(int size, boolean plus) {
        throw new UnsupportedOperationException("no directories here");
    }
}
