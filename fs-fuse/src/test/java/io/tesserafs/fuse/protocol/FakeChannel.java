package io.tesserafs.fuse.protocol;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.tesserafs.fuse.Errno;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;

/** A kernel by hand: requests are queued by the test, answers kept for it. */
final class FakeChannel implements Channel {
    final Queue<byte[]> requests = new ArrayDeque<>();
    final List<byte[]> answers = new ArrayList<>();
    /** What sending returns. */
    int sendErrno;

    @Override
    public int receive(MemorySegment capture, long address, long capacity) {
        byte[] request = requests.poll();
        if (request == null) {
            return UNMOUNTED;
        }
        if (request.length > capacity) {
            throw new AssertionError("request of " + request.length + " bytes into " + capacity);
        }
        MemorySegment.copy(
                request, 0, MemorySegment.ofAddress(address).reinterpret(capacity), JAVA_BYTE, 0, request.length);
        return request.length;
    }

    @Override
    public synchronized int send(MemorySegment capture, long address, long length) {
        answers.add(MemorySegment.ofAddress(address).reinterpret(length).toArray(JAVA_BYTE));
        return sendErrno;
    }

    @Override
    public synchronized int sendGathered(MemorySegment capture, long iovecs, int count) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        MemorySegment array = MemorySegment.ofAddress(iovecs).reinterpret(count * 16L);
        for (int i = 0; i < count; i++) {
            long length = array.get(JAVA_LONG, i * 16L + 8);
            all.writeBytes(MemorySegment.ofAddress(array.get(JAVA_LONG, i * 16L))
                    .reinterpret(length)
                    .toArray(JAVA_BYTE));
        }
        answers.add(all.toByteArray());
        return sendErrno;
    }

    /** As a kernel that has withdrawn every request. */
    void withdrawAll() {
        sendErrno = Errno.ENOENT;
    }
}
