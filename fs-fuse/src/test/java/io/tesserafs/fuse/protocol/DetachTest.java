package io.tesserafs.fuse.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.Request;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Requests that leave their reader, and interrupts. */
class DetachTest {
    private final Kernel kernel = new Kernel();
    private final List<Request> detached = new ArrayList<>();

    @AfterEach
    void release() {
        kernel.close();
    }

    private void detachAll() {
        kernel.behaviour = rq -> {
            rq.detach();
            detached.add(rq);
        };
    }

    private static byte[] readlink(long unique) {
        return WireBytes.request(Opcode.READLINK, 1, unique).bytes();
    }

    private static byte[] interrupt(long unique) {
        return WireBytes.request(Opcode.INTERRUPT, 0, unique | 1).u64(unique).bytes();
    }

    private static long uniqueOf(byte[] answer) {
        return ByteBuffer.wrap(answer).order(ByteOrder.nativeOrder()).getLong(HeaderLayout.OUT_UNIQUE);
    }

    private static int errnoOf(byte[] answer) {
        return -ByteBuffer.wrap(answer).order(ByteOrder.nativeOrder()).getInt(HeaderLayout.OUT_ERROR);
    }

    @Test
    void shouldAnswerDetachedRequestsInAnyOrder() {
        detachAll();
        for (long unique = 2; unique <= 20; unique += 2) {
            assertThat(kernel.serve(readlink(unique))).isEmpty();
        }
        assertThat(kernel.connection.detachedCount()).isEqualTo(10);
        kernel.channel.answers.clear();
        for (Request rq : detached.reversed()) {
            rq.replyBytes(Long.toString(rq.unique()).getBytes(StandardCharsets.UTF_8));
        }
        assertThat(kernel.channel.answers).hasSize(10);
        for (byte[] answer : kernel.channel.answers) {
            String body = new String(answer, HeaderLayout.OUT_LENGTH, answer.length - 16, StandardCharsets.UTF_8);
            assertThat(body).isEqualTo(Long.toString(uniqueOf(answer)));
        }
        assertThat(kernel.connection.detachedCount()).isZero();
    }

    @Test
    void shouldRefuseASecondAnswerLongAfterTheFirst() {
        detachAll();
        kernel.serve(readlink(2));
        detached.getFirst().replyOk();
        kernel.serve(readlink(4));
        assertThatThrownBy(() -> detached.getFirst().replyOk()).isInstanceOf(IllegalStateException.class);
        detached.get(1).replyOk();
    }

    @Test
    void shouldKeepThePayloadOfADetachedWriteWhileOthersArrive() {
        detachAll();
        byte[] first = write(2, "first");
        kernel.serve(first);
        kernel.serve(write(4, "other"));
        assertThat(kernel.calls)
                .containsExactly("write 1 0 0 first false false false 0", "write 1 0 0 other false false false 0");
        FuseRequest rq = (FuseRequest) detached.getFirst();
        byte[] kept = Wire.getBytes(rq.attachedBuffer().memory(), 0, first.length);
        assertThat(kept).isEqualTo(first);
        detached.forEach(r -> r.replyWritten(5));
    }

    private static byte[] write(long unique, String data) {
        return WireBytes.request(Opcode.WRITE, 1, unique)
                .u64(0)
                .u64(0)
                .u32(data.length())
                .u32(0)
                .u64(0)
                .u64(0)
                .raw(data.getBytes(StandardCharsets.UTF_8))
                .bytes();
    }

    @Test
    void shouldReuseBuffersOfDetachedWrites() {
        for (int i = 0; i < 10 * BufferPool.MAX_DETACHED_PAYLOADS; i++) {
            detached.clear();
            detachAll();
            kernel.serve(write(2 + 2 * i, "data"));
            detached.getFirst().replyWritten(4);
        }
        assertThat(kernel.connection.detachedCount()).isZero();
        assertThat(kernel.connection.stats.detachedRequests()).isEqualTo(10L * BufferPool.MAX_DETACHED_PAYLOADS);
    }

    @Test
    void shouldListADirectoryDetached() {
        kernel.behaviour = rq -> {
            Request.Directory early = rq.directory(65536, false);
            early.add(new byte[] {'a'}, 5, 8, 1);
            rq.detach();
            kernel.behaviour = Request::replyOk;
            kernel.serve(WireBytes.request(Opcode.LOOKUP, 1, 40)
                    .name("overwrites-the-readers-buffer-in-between")
                    .bytes());
            early.reply();
        };
        byte[] request = WireBytes.request(Opcode.READDIR, 1)
                .u64(0)
                .u64(0)
                .u32(65536)
                .u32(0)
                .u64(0)
                .u64(0)
                .bytes();
        assertThat(kernel.serve(request)).last().isEqualTo(oneEntry());
        kernel.behaviour = rq -> {
            rq.detach();
            Request.Directory late = rq.directory(65536, false);
            late.add(new byte[] {'a'}, 5, 8, 1);
            late.reply();
        };
        assertThat(kernel.serve(request)).containsExactly(oneEntry());
    }

    /** A directory's answer: a regular file, inode 5, named a. */
    private static byte[] oneEntry() {
        return WireBytes.answer()
                .u64(5)
                .u64(1)
                .u32(1)
                .u32(8)
                .raw((byte) 'a')
                .zeros(7)
                .bytes();
    }

    @Test
    void shouldInterruptADetachedRequest() {
        detachAll();
        kernel.serve(readlink(2));
        Request rq = detached.getFirst();
        AtomicInteger ran = new AtomicInteger();
        rq.onInterrupt(ran::incrementAndGet);
        assertThat(rq.interrupted()).isFalse();
        assertThat(kernel.serve(interrupt(2))).isEmpty();
        assertThat(kernel.serve(interrupt(2))).isEmpty();
        assertThat(rq.interrupted()).isTrue();
        assertThat(ran).hasValue(1);
        rq.onInterrupt(ran::incrementAndGet);
        assertThat(ran).as("registered too late: at once").hasValue(2);
        rq.replyError(Errno.EINTR);
    }

    @Test
    void shouldAskTheKernelToRepeatAnInterruptOfARequestNotSeenYet() {
        byte[] answer = kernel.serve(interrupt(2)).getFirst();
        assertThat(errnoOf(answer)).isEqualTo(Errno.EAGAIN);
        assertThat(uniqueOf(answer)).isEqualTo(3);
    }

    @Test
    void shouldInterruptARequestThatAnotherReaderWorksOn() {
        FakeChannel second = new FakeChannel();
        RequestLoop otherLoop = kernel.newLoop(second);
        kernel.behaviour = rq -> {
            assertThat(rq.interrupted()).isFalse();
            second.requests.add(interrupt(2));
            otherLoop.runOnce();
            assertThat(rq.interrupted()).isTrue();
            rq.replyError(Errno.EINTR);
        };
        assertThat(errnoOf(kernel.serve(readlink(2)).getFirst())).isEqualTo(Errno.EINTR);
        assertThat(second.answers).isEmpty();
        kernel.behaviour = rq -> {
            assertThat(rq.interrupted())
                    .as("the next request on the same reader")
                    .isFalse();
            rq.replyOk();
        };
        assertThat(errnoOf(kernel.serve(readlink(4)).getFirst())).isZero();
    }

    @Test
    void shouldInterruptWhoeverWaitsWhenTheMountEnds() {
        detachAll();
        kernel.serve(readlink(2));
        Request rq = detached.getFirst();
        rq.onInterrupt(() -> rq.replyError(Errno.EINTR));
        assertThat(kernel.connection.drainDetached(0)).isTrue();
        kernel.connection.shut();
        kernel.serve(readlink(4));
        kernel.channel.answers.clear();
        detached.get(1).replyOk();
        assertThat(kernel.channel.answers).as("nothing is sent once shut").isEmpty();
    }
}
