package io.tesserafs.fuse.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fuse.Attributes;
import io.tesserafs.fuse.AttributesRecord;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.FileLock;
import io.tesserafs.fuse.Request;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Golden bytes of each answer. */
class ReplyTest {
    private static final Attributes ATTR = new AttributesRecord(
            42, 0100644, 1, 10, 11, 0x501, 12345, 32, 1_000_000_002L, -1L, 3_000_000_004L, 5_000_000_006L);

    private final Kernel kernel = new Kernel();

    @AfterEach
    void release() {
        kernel.close();
    }

    private byte[] answerTo(WireBytes request, Consumer<Request> behaviour) {
        kernel.behaviour = behaviour;
        return kernel.serve(request.bytes()).getFirst();
    }

    private byte[] answer(Consumer<Request> behaviour) {
        return answerTo(WireBytes.request(Opcode.READLINK, 1), behaviour);
    }

    private static WireBytes read(int size) {
        return WireBytes.request(Opcode.READ, 1)
                .u64(0)
                .u64(0)
                .u32(size)
                .u32(0)
                .u64(0)
                .u64(0);
    }

    private static WireBytes attr(WireBytes to) {
        return to.u64(42)
                .u64(12345)
                .u64(32)
                .u64(1)
                .u64(-1)
                .u64(3)
                .u32(2)
                .u32(999_999_999)
                .u32(4)
                .u32(0100644)
                .u32(1)
                .u32(10)
                .u32(11)
                .u32(0x501)
                .u32(4096)
                .u32(0);
    }

    private static WireBytes entry(WireBytes to) {
        return attr(to.u64(42).u64(0).u64(5).u64(0).u32(7).u32(9));
    }

    @Test
    void shouldEncodeErrors() {
        assertThat(answer(rq -> rq.replyError(Errno.ENOTEMPTY))).isEqualTo(WireBytes.error(Errno.ENOTEMPTY));
    }

    @Test
    void shouldEncodeEntries() {
        assertThat(answer(
                        rq -> assertThat(rq.replyEntry(ATTR, 5_000_000_007L, 9)).isTrue()))
                .isEqualTo(entry(WireBytes.answer()).bytes());
    }

    @Test
    void shouldEncodeMissingEntries() {
        assertThat(answer(rq -> rq.replyNoEntry(0))).isEqualTo(WireBytes.error(Errno.ENOENT));
        assertThat(answer(rq -> rq.replyNoEntry(5_000_000_007L)))
                .isEqualTo(WireBytes.answer()
                        .u64(0)
                        .u64(0)
                        .u64(5)
                        .u64(0)
                        .u32(7)
                        .u32(0)
                        .zeros(88)
                        .bytes());
    }

    @Test
    void shouldEncodeLocks() {
        assertThat(answer(rq -> rq.replyLock(new FileLock(99, FileLock.WRITE, 10, Long.MAX_VALUE, 4242, false))))
                .isEqualTo(WireBytes.answer()
                        .u64(10)
                        .u64(Long.MAX_VALUE)
                        .u32(1)
                        .u32(4242)
                        .bytes());
    }

    @Test
    void shouldEncodeAttributes() {
        assertThat(answer(rq -> rq.replyAttr(ATTR, 5_000_000_007L)))
                .isEqualTo(attr(WireBytes.answer().u64(5).u32(7).u32(0)).bytes());
    }

    @Test
    void shouldEncodeStatxWithTheTimeOfBirth() {
        byte[] expected = WireBytes.answer()
                .u64(5)
                .u32(7)
                .u32(0)
                .zeros(16)
                .u32(0xfff)
                .u32(4096)
                .u64(0)
                .u32(1)
                .u32(10)
                .u32(11)
                .u16(0100644)
                .u16(0)
                .u64(42)
                .u64(12345)
                .u64(32)
                .u64(0)
                .u64(1)
                .u32(2)
                .u32(0)
                .u64(5)
                .u32(6)
                .u32(0)
                .u64(3)
                .u32(4)
                .u32(0)
                .u64(-1)
                .u32(999_999_999)
                .u32(0)
                .u32(5)
                .u32(1)
                .zeros(8 + 14 * 8)
                .bytes();
        assertThat(answerTo(WireBytes.request(Opcode.STATX, 1).zeros(24), rq -> rq.replyAttr(ATTR, 5_000_000_007L)))
                .isEqualTo(expected);
    }

    @Test
    void shouldEncodeOpenAndCreate() {
        // What an earlier answer left in the area must not show in the padding.
        answer(rq -> rq.replyAttr(ATTR, Long.MAX_VALUE));
        assertThat(answer(rq -> rq.replyOpen(-2, 3)))
                .isEqualTo(WireBytes.answer().u64(-2).u32(3).u32(0).bytes());
        assertThat(answer(rq -> rq.replyCreate(ATTR, 5_000_000_007L, 9, 6, 1)))
                .isEqualTo(entry(WireBytes.answer()).u64(6).u32(1).u32(0).bytes());
    }

    @Test
    void shouldEncodeBytesOfAnyLength() {
        for (int length : new int[] {0, 1, 4095, 65536}) {
            byte[] bytes = new byte[length];
            Arrays.fill(bytes, (byte) 'x');
            assertThat(answer(rq -> rq.replyBytes(bytes)))
                    .isEqualTo(WireBytes.answer().raw(bytes).bytes());
        }
    }

    @Test
    void shouldEncodeXattrsByTheSizeAskedFor() {
        byte[] value = "value".getBytes(StandardCharsets.UTF_8);
        assertThat(answer(rq -> rq.replyXattr(value, 0)))
                .isEqualTo(WireBytes.answer().u32(5).u32(0).bytes());
        assertThat(answer(rq -> rq.replyXattr(value, 4))).isEqualTo(WireBytes.error(Errno.ERANGE));
        assertThat(answer(rq -> rq.replyXattr(value, 5)))
                .isEqualTo(WireBytes.answer().raw(value).bytes());
    }

    @Test
    void shouldEncodeCountsAndOffsets() {
        assertThat(answer(rq -> rq.replyWritten(4096)))
                .isEqualTo(WireBytes.answer().u32(4096).u32(0).bytes());
        assertThat(answer(rq -> rq.replyOffset(1L << 40)))
                .isEqualTo(WireBytes.answer().u64(1L << 40).bytes());
    }

    @Test
    void shouldEncodeIoctl() {
        assertThat(answer(rq -> rq.replyIoctl(-1, new byte[] {1, 2})))
                .isEqualTo(WireBytes.answer()
                        .u32(-1)
                        .u32(0)
                        .u64(0)
                        .raw((byte) 1, (byte) 2)
                        .bytes());
    }

    @Test
    void shouldEncodeStatfs() {
        assertThat(answer(rq -> rq.replyStatfs(1, 2, 3, 4, 5, 6, 7, 8)))
                .isEqualTo(WireBytes.answer()
                        .u64(1)
                        .u64(2)
                        .u64(3)
                        .u64(4)
                        .u64(5)
                        .u32(6)
                        .u32(7)
                        .u32(8)
                        .zeros(28)
                        .bytes());
    }

    @Test
    void shouldGatherDataAndZeros() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocate(100).fill((byte) 'd');
            byte[] expected = WireBytes.answer()
                    .raw("ddd".getBytes(StandardCharsets.UTF_8))
                    .zeros(5)
                    .raw((byte) 'd')
                    .bytes();
            assertThat(answerTo(read(4096), rq -> {
                        rq.addData(data, 97, 3);
                        rq.addZeros(5);
                        rq.addData(data, 0, 0);
                        rq.addData(data, 0, 1);
                        rq.replyData();
                    }))
                    .isEqualTo(expected);
        }
        assertThat(answerTo(read(4096), Request::replyData))
                .isEqualTo(WireBytes.answer().bytes());
        assertThat(answerTo(read(1 << 20), rq -> {
                    rq.addZeros(1 << 20);
                    rq.replyData();
                }))
                .isEqualTo(WireBytes.answer().zeros(1 << 20).bytes());
    }

    @Test
    void shouldRefuseDataThatIsNotThereOrTooMuch() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocate(100);
            kernel.behaviour = rq -> {
                assertThatThrownBy(() -> rq.addData(data, 98, 3)).isInstanceOf(IndexOutOfBoundsException.class);
                assertThatThrownBy(() -> rq.addData(data, 0, 65)).isInstanceOf(IllegalStateException.class);
                assertThatThrownBy(() -> rq.addData(MemorySegment.ofArray(new byte[8]), 0, 8))
                        .isInstanceOf(IllegalArgumentException.class);
                assertThatThrownBy(() -> {
                            for (int i = 0; i <= Request.MAX_DATA_PARTS; i++) {
                                rq.addZeros(1);
                            }
                        })
                        .isInstanceOf(IllegalStateException.class);
                rq.replyError(Errno.EIO);
            };
            assertThat(kernel.serve(read(64).bytes())).containsExactly(WireBytes.error(Errno.EIO));
        }
    }

    @Test
    void shouldPackDirectoryEntriesUntilTheyDoNotFit() {
        byte[] name = "abc".getBytes(StandardCharsets.UTF_8);
        WireBytes request = WireBytes.request(Opcode.READDIR, 1)
                .u64(0)
                .u64(0)
                .u32(80)
                .u32(0)
                .u64(0)
                .u64(0);
        assertThat(answerTo(request, rq -> {
                    Request.Directory directory = rq.directory(80, false);
                    assertThat(directory.add(name, 9, 4, 1)).isTrue();
                    assertThat(directory.add(name, ATTR, 2, 1, 1)).isTrue();
                    assertThat(directory.add(name, 9, 4, 3)).isFalse();
                    assertThat(directory.reply()).isTrue();
                }))
                .isEqualTo(WireBytes.answer()
                        .u64(9)
                        .u64(1)
                        .u32(3)
                        .u32(4)
                        .name("abc")
                        .zeros(4)
                        .u64(42)
                        .u64(2)
                        .u32(3)
                        .u32(8)
                        .name("abc")
                        .zeros(4)
                        .bytes());
    }

    @Test
    void shouldPackDirectoryEntriesWithAttributes() {
        byte[] name = "abcdefgh".getBytes(StandardCharsets.UTF_8);
        WireBytes request = WireBytes.request(Opcode.READDIRPLUS, 1)
                .u64(0)
                .u64(0)
                .u32(65536)
                .u32(0)
                .u64(0)
                .u64(0);
        WireBytes expected = entry(WireBytes.answer()
                        .zeros(128)
                        .u64(9)
                        .u64(1)
                        .u32(8)
                        .u32(4)
                        .raw(name))
                .u64(42)
                .u64(2)
                .u32(8)
                .u32(8)
                .raw(name);
        assertThat(answerTo(request, rq -> {
                    Request.Directory directory = rq.directory(65536, true);
                    directory.add(name, 9, 4, 1);
                    directory.add(name, ATTR, 2, 5_000_000_007L, 9);
                    directory.reply();
                }))
                .isEqualTo(expected.bytes());
    }

    @Test
    void shouldAllowOneAnswerOnly() {
        assertThat(answer(rq -> {
                    rq.replyOk();
                    assertThatThrownBy(rq::replyOk).isInstanceOf(IllegalStateException.class);
                    assertThatThrownBy(() -> rq.addZeros(1)).isInstanceOf(IllegalStateException.class);
                    assertThatThrownBy(rq::detach).isInstanceOf(IllegalStateException.class);
                }))
                .isEqualTo(WireBytes.answer().bytes());
        assertThat(kernel.channel.answers).hasSize(1);
    }

    @Test
    void shouldAnswerForHandlersThatDoNot() {
        assertThat(answer(rq -> {})).isEqualTo(WireBytes.error(Errno.EIO));
        assertThat(kernel.connection.stats.unansweredRequests()).isEqualTo(1);
        assertThat(answer(rq -> {
                    throw new IllegalStateException("a failing handler, logged on purpose");
                }))
                .isEqualTo(WireBytes.error(Errno.EIO));
        assertThat(kernel.connection.stats.handlerFailures()).isEqualTo(1);
        assertThat(answer(rq -> {
                    rq.detach();
                    throw new IllegalStateException("a handler that fails after it detached, logged on purpose");
                }))
                .isEqualTo(WireBytes.error(Errno.EIO));
        assertThat(kernel.connection.detachedCount()).isZero();
    }

    @Test
    void shouldRefuseErrnosTheKernelWouldNotTake() {
        assertThat(answer(rq -> {
                    assertThatThrownBy(() -> rq.replyError(0)).isInstanceOf(IllegalArgumentException.class);
                    assertThatThrownBy(() -> rq.replyError(512)).isInstanceOf(IllegalArgumentException.class);
                    rq.replyError(511);
                }))
                .isEqualTo(WireBytes.error(511));
    }

    @Test
    void shouldSayWhenTheKernelHadWithdrawnTheRequest() {
        kernel.channel.withdrawAll();
        AtomicReference<Boolean> taken = new AtomicReference<>();
        answer(rq -> taken.set(rq.replyEntry(ATTR, 1, 1)));
        assertThat(taken).hasValue(false);
        answer(rq -> taken.set(rq.replyOpen(1, 0)));
        assertThat(taken).hasValue(false);
        assertThat(kernel.connection.stats.withdrawnRequests()).isEqualTo(2);
    }
}
