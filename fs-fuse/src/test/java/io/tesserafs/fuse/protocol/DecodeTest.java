package io.tesserafs.fuse.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fuse.Errno;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Golden bytes of each request, what the filesystem is called with, and what is refused. */
class DecodeTest {
    private final Kernel kernel = new Kernel();

    @AfterEach
    void release() {
        kernel.close();
    }

    private static WireBytes rq(int opcode) {
        return WireBytes.request(opcode, 7);
    }

    static Stream<Arguments> requests() {
        return Stream.of(entryRequests(), fileRequests(), attributeRequests(), lockRequests())
                .flatMap(of -> of);
    }

    private static Stream<Arguments> entryRequests() {
        return Stream.of(
                Arguments.of(rq(Opcode.LOOKUP).name("abc"), "lookup 7 abc"),
                Arguments.of(rq(Opcode.READLINK), "readlink 7"),
                Arguments.of(rq(Opcode.SYMLINK).name("new").name("../to/x"), "symlink 7 new ../to/x"),
                Arguments.of(
                        rq(Opcode.MKNOD).u32(0x21a4).u32(0x501).u32(022).u32(0).name("dev"), "mknod 7 dev 8612 1281"),
                Arguments.of(rq(Opcode.MKDIR).u32(0755).u32(022).name("d"), "mkdir 7 d 493"),
                Arguments.of(rq(Opcode.UNLINK).name("abc"), "unlink 7 abc"),
                Arguments.of(rq(Opcode.RMDIR).name("abc"), "rmdir 7 abc"),
                Arguments.of(rq(Opcode.RENAME).u64(8).name("a").name("b"), "rename 7 a 8 b 0"),
                Arguments.of(rq(Opcode.RENAME2).u64(8).u32(2).u32(0).name("a").name("b"), "rename 7 a 8 b 2"),
                Arguments.of(rq(Opcode.LINK).u64(9).name("b"), "link 9 7 b"),
                Arguments.of(
                        rq(Opcode.CREATE).u32(0x8241).u32(0644).u32(022).u32(1).name("f"), "create 7 f 420 33345 true"),
                Arguments.of(rq(Opcode.TMPFILE).u32(2).u32(0600).u32(022).u32(0).name("/"), "tmpfile 7 384 2"));
    }

    private static Stream<Arguments> fileRequests() {
        return Stream.of(
                Arguments.of(rq(Opcode.OPEN).u32(0x8201).u32(1), "open 7 33281 true"),
                Arguments.of(rq(Opcode.OPENDIR).u32(0x10000).u32(0), "opendir 7 65536"),
                Arguments.of(
                        rq(Opcode.READ)
                                .u64(5)
                                .u64(4096)
                                .u32(8192)
                                .u32(0)
                                .u64(0)
                                .u32(0)
                                .u32(0),
                        "read 7 5 4096 8192 false"),
                Arguments.of(
                        rq(Opcode.READ)
                                .u64(5)
                                .u64(4096)
                                .u32(8192)
                                .u32(2)
                                .u64(0x77)
                                .u32(0)
                                .u32(0),
                        "read 7 5 4096 8192 true"),
                Arguments.of(
                        rq(Opcode.WRITE)
                                .u64(5)
                                .u64(10)
                                .u32(4)
                                .u32(5)
                                .u64(0)
                                .u32(0)
                                .u32(0)
                                .raw((byte) 'd', (byte) 'a', (byte) 't', (byte) 'a'),
                        "write 7 5 10 data false true true 0"),
                Arguments.of(
                        rq(Opcode.WRITE)
                                .u64(5)
                                .u64(10)
                                .u32(1)
                                .u32(2)
                                .u64(0x77)
                                .u32(0x400)
                                .u32(0)
                                .raw((byte) 'd'),
                        "write 7 5 10 d true false false 1024"),
                Arguments.of(
                        rq(Opcode.WRITE)
                                .u64(5)
                                .u64(0)
                                .u32(1 << 20)
                                .u32(0)
                                .u64(0)
                                .u32(0)
                                .u32(0)
                                .zeros(1 << 20),
                        "write 7 5 0 [1048576] false false false 0"),
                Arguments.of(
                        rq(Opcode.READDIR)
                                .u64(5)
                                .u64(99)
                                .u32(4096)
                                .u32(0)
                                .u64(0)
                                .u32(0)
                                .u32(0),
                        "readdir 7 5 99 4096 false"),
                Arguments.of(
                        rq(Opcode.READDIRPLUS)
                                .u64(5)
                                .u64(-1)
                                .u32(4096)
                                .u32(0)
                                .u64(0)
                                .u32(0)
                                .u32(0),
                        "readdir 7 5 -1 4096 true"),
                Arguments.of(rq(Opcode.RELEASE).u64(5).u32(2).u32(2).u64(77), "release 7 5 77"),
                Arguments.of(rq(Opcode.RELEASE).u64(5).u32(2).u32(1).u64(77), "release 7 5 null"),
                Arguments.of(rq(Opcode.RELEASEDIR).u64(5).u32(2).u32(0).u64(77), "releasedir 7 5"),
                Arguments.of(rq(Opcode.FLUSH).u64(5).u32(0).u32(0).u64(77), "flush 7 5 77"),
                Arguments.of(rq(Opcode.FSYNC).u64(5).u32(1).u32(0), "fsync 7 5 true"),
                Arguments.of(rq(Opcode.FSYNCDIR).u64(5).u32(0).u32(0), "fsyncdir 7 5 false"),
                Arguments.of(rq(Opcode.FALLOCATE).u64(5).u64(1).u64(2).u32(3).u32(0), "fallocate 7 5 1 2 3"),
                Arguments.of(rq(Opcode.LSEEK).u64(5).u64(100).u32(4).u32(0), "lseek 7 5 100 4"),
                Arguments.of(
                        rq(Opcode.COPY_FILE_RANGE)
                                .u64(5)
                                .u64(1)
                                .u64(8)
                                .u64(6)
                                .u64(2)
                                .u64(3)
                                .u64(0),
                        "copyFileRange 7 5 1 8 6 2 3"),
                Arguments.of(
                        rq(Opcode.COPY_FILE_RANGE_64)
                                .u64(5)
                                .u64(1)
                                .u64(8)
                                .u64(6)
                                .u64(2)
                                .u64(1L << 40)
                                .u64(0),
                        "copyFileRange 7 5 1 8 6 2 2147479552"),
                Arguments.of(
                        rq(Opcode.IOCTL).u64(5).u32(0).u32(0x6601).u64(0).u32(0).u32(4), "ioctl 7 5 26113 null 4"),
                Arguments.of(
                        rq(Opcode.IOCTL)
                                .u64(5)
                                .u32(0)
                                .u32(0x6602)
                                .u64(0)
                                .u32(2)
                                .u32(0)
                                .raw((byte) 'i', (byte) 'n'),
                        "ioctl 7 5 26114 in 0"),
                Arguments.of(rq(Opcode.SYNCFS).u64(0), "syncfs 7"));
    }

    private static Stream<Arguments> attributeRequests() {
        return Stream.of(
                Arguments.of(rq(Opcode.GETATTR).u32(1).u32(0).u64(5), "getattr 7 5"),
                Arguments.of(rq(Opcode.GETATTR).u32(0).u32(0).u64(5), "getattr 7 -1"),
                Arguments.of(rq(Opcode.STATX).u32(1).u32(0).u64(5).u32(0).u32(0xfff), "getattr 7 5"),
                Arguments.of(
                        rq(Opcode.SETATTR)
                                .u32(0x7f)
                                .u32(0)
                                .u64(5)
                                .u64(100)
                                .u64(0)
                                .u64(1)
                                .u64(-2)
                                .u64(3)
                                .u32(4)
                                .u32(5)
                                .u32(6)
                                .u32(0100644)
                                .u32(0)
                                .u32(10)
                                .u32(11)
                                .u32(0),
                        "setattr 7 SetAttr[valid=127, fh=5, mode=33188, uid=10, gid=11, size=100, atimeNs=1000000004,"
                                + " mtimeNs=-1999999995, ctimeNs=3000000006]"),
                Arguments.of(rq(Opcode.STATFS), "statfs 7"),
                Arguments.of(
                        rq(Opcode.SETXATTR)
                                .u32(3)
                                .u32(1)
                                .u32(1)
                                .u32(0)
                                .name("user.a")
                                .raw((byte) 'v', (byte) 'a', (byte) 'l'),
                        "setxattr 7 user.a val 1 true"),
                Arguments.of(rq(Opcode.GETXATTR).u32(64).u32(0).name("user.a/b"), "getxattr 7 user.a/b 64"),
                Arguments.of(rq(Opcode.LISTXATTR).u32(0).u32(0), "listxattr 7 0"),
                Arguments.of(rq(Opcode.REMOVEXATTR).name("user.a"), "removexattr 7 user.a"));
    }

    private static WireBytes lk(int opcode, long start, long end, int type, int flags) {
        return rq(opcode)
                .u64(5)
                .u64(0x8000000000000077L)
                .u64(start)
                .u64(end)
                .u32(type)
                .u32(4242)
                .u32(flags)
                .u32(0);
    }

    private static Stream<Arguments> lockRequests() {
        return Stream.of(
                Arguments.of(
                        lk(Opcode.GETLK, 10, 19, 0, 0),
                        "getlk 7 5 FileLock[owner=-9223372036854775689, type=0, firstByte=10, lastByte=19, pid=4242, flock=false]"),
                Arguments.of(
                        lk(Opcode.SETLK, 0, Long.MAX_VALUE, 2, 0),
                        "setlk 7 5 FileLock[owner=-9223372036854775689, type=2, firstByte=0, lastByte=9223372036854775807,"
                                + " pid=4242, flock=false] false"),
                Arguments.of(
                        lk(Opcode.SETLKW, 0, Long.MAX_VALUE, 1, 1),
                        "setlk 7 5 FileLock[owner=-9223372036854775689, type=1, firstByte=0, lastByte=9223372036854775807,"
                                + " pid=4242, flock=true] true"));
    }

    @ParameterizedTest(name = "{1}")
    @MethodSource("requests")
    void shouldCallTheFilesystemWithWhatTheRequestSays(WireBytes request, String call) {
        assertThat(kernel.serve(request.bytes()))
                .containsExactly(WireBytes.answer().bytes());
        assertThat(kernel.calls).containsExactly(call);
    }

    /** Every cut-off of every request: never a crash, exactly one answer, and no call with half a request. */
    @ParameterizedTest(name = "{1}")
    @MethodSource("requests")
    void shouldAnswerTruncatedRequestsOnce(WireBytes request, String call) {
        byte[] whole = request.bytes();
        for (int length = 40; length < Math.min(whole.length, 200); length++) {
            byte[] cut = Arrays.copyOf(whole, length);
            assertThat(kernel.serve(cut))
                    .as("length %d, header unchanged", length)
                    .containsExactly(WireBytes.error(Errno.EIO));
        }
        assertThat(kernel.calls).isEmpty();
        for (int length = 40; length < Math.min(whole.length, 200); length++) {
            byte[] cut = Arrays.copyOf(whole, length);
            ByteBuffer.wrap(cut).order(ByteOrder.nativeOrder()).putInt(0, length);
            assertThat(kernel.serve(cut)).as("length %d", length).hasSize(1);
        }
    }

    static Stream<Arguments> malformed() {
        String tooLong = "n".repeat(256);
        return Stream.of(
                Arguments.of(
                        "node 0",
                        WireBytes.request(Opcode.GETATTR, 0).u32(0).u32(0).u64(0),
                        Errno.EINVAL),
                Arguments.of("empty name", rq(Opcode.LOOKUP).name("").name(""), Errno.EINVAL),
                Arguments.of("slash", rq(Opcode.LOOKUP).name("a/b"), Errno.EINVAL),
                Arguments.of("no NUL", rq(Opcode.LOOKUP).raw((byte) 'a', (byte) 'b'), Errno.EIO),
                Arguments.of("long name", rq(Opcode.LOOKUP).name(tooLong), Errno.ENAMETOOLONG),
                Arguments.of("one name of two", rq(Opcode.RENAME).u64(8).name("abc"), Errno.EIO),
                Arguments.of(
                        "rename flags",
                        rq(Opcode.RENAME2).u64(8).u32(3).u32(0).name("a").name("b"),
                        Errno.EINVAL),
                Arguments.of(
                        "rename to node 0", rq(Opcode.RENAME).u64(0).name("a").name("b"), Errno.EINVAL),
                Arguments.of(
                        "negative offset",
                        rq(Opcode.READ).u64(5).u64(-1).u32(1).u32(0).u64(0).u64(0),
                        Errno.EINVAL),
                Arguments.of(
                        "huge read",
                        rq(Opcode.READ).u64(5).u64(0).u32(-1).u32(0).u64(0).u64(0),
                        Errno.EINVAL),
                Arguments.of(
                        "huge write",
                        rq(Opcode.WRITE)
                                .u64(5)
                                .u64(0)
                                .u32(1 << 21)
                                .u32(0)
                                .u64(0)
                                .u64(0),
                        Errno.EINVAL),
                Arguments.of(
                        "write without data",
                        rq(Opcode.WRITE)
                                .u64(5)
                                .u64(0)
                                .u32(8)
                                .u32(0)
                                .u64(0)
                                .u64(0)
                                .u32(1),
                        Errno.EIO),
                Arguments.of(
                        "write past the largest offset",
                        rq(Opcode.WRITE)
                                .u64(5)
                                .u64(Long.MAX_VALUE)
                                .u32(8)
                                .u32(0)
                                .u64(0)
                                .u64(0)
                                .u64(1),
                        Errno.EINVAL),
                Arguments.of("lock that ends before it starts", lk(Opcode.SETLK, 5, 4, 0, 0), Errno.EINVAL),
                Arguments.of("lock at a negative offset", lk(Opcode.GETLK, -1, 4, 0, 0), Errno.EINVAL),
                Arguments.of("lock of no known type", lk(Opcode.SETLKW, 0, 4, 3, 0), Errno.EINVAL),
                Arguments.of("truncate below 0", setattrSize(-1), Errno.EINVAL),
                Arguments.of(
                        "lseek SEEK_CUR",
                        rq(Opcode.LSEEK).u64(5).u64(100).u32(1).u32(0),
                        Errno.EINVAL),
                Arguments.of(
                        "xattr value cut",
                        rq(Opcode.SETXATTR).u32(9).u32(0).u64(0).name("user.a").raw((byte) 1),
                        Errno.EIO),
                Arguments.of(
                        "unrestricted ioctl",
                        rq(Opcode.IOCTL).u64(5).u32(2).u32(1).u64(0).u64(0),
                        Errno.EINVAL),
                Arguments.of(
                        "copy with flags",
                        rq(Opcode.COPY_FILE_RANGE)
                                .u64(5)
                                .u64(1)
                                .u64(8)
                                .u64(6)
                                .u64(2)
                                .u64(3)
                                .u64(1),
                        Errno.EINVAL));
    }

    private static WireBytes setattrSize(long size) {
        return rq(Opcode.SETATTR).u32(8).u32(0).u64(0).u64(size).zeros(64);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("malformed")
    void shouldRefuseMalformedRequests(String what, WireBytes request, int errno) {
        assertThat(kernel.serve(request.bytes())).containsExactly(WireBytes.error(errno));
        assertThat(kernel.calls).isEmpty();
    }

    @Test
    void shouldSayEnosysToWhatIsNotImplemented() {
        for (int opcode : new int[] {
            Opcode.ACCESS, Opcode.BMAP, Opcode.POLL, Opcode.SETUPMAPPING, Opcode.REMOVEMAPPING, 7, 54, 4096, -1
        }) {
            assertThat(kernel.serve(rq(opcode).zeros(64).bytes()))
                    .as("opcode %d", opcode)
                    .containsExactly(WireBytes.error(Errno.ENOSYS));
        }
        assertThat(kernel.calls).isEmpty();
        assertThat(kernel.connection.stats.requestsByOperation()).containsEntry("unknown", 3L);
    }

    @Test
    void shouldForgetExactlyAndWithoutAnswer() {
        assertThat(kernel.serve(rq(Opcode.FORGET).u64(3).bytes())).isEmpty();
        assertThat(kernel.serve(WireBytes.request(Opcode.BATCH_FORGET, 0)
                        .u32(2)
                        .u32(0)
                        .u64(7)
                        .u64(1)
                        .u64(9)
                        .u64(4)
                        .bytes()))
                .isEmpty();
        assertThat(kernel.calls).containsExactly("forget 7 3", "forget 7 1", "forget 9 4");
    }

    @Test
    void shouldNotAnswerMalformedForgets() {
        assertThat(kernel.serve(rq(Opcode.FORGET).u32(3).bytes())).isEmpty();
        assertThat(kernel.serve(WireBytes.request(Opcode.BATCH_FORGET, 0)
                        .u32(-1)
                        .u32(0)
                        .u64(7)
                        .u64(1)
                        .bytes()))
                .isEmpty();
        assertThat(kernel.calls).isEmpty();
        assertThat(kernel.connection.stats.malformedRequests()).isEqualTo(2);
    }

    @Test
    void shouldAcknowledgeDestroy() {
        assertThat(kernel.serve(WireBytes.request(Opcode.DESTROY, 0).bytes()))
                .containsExactly(WireBytes.answer().bytes());
    }

    @Test
    void shouldTakeTheShortSetxattrFromKernelsWithoutTheLongOne() {
        try (Kernel old = new Kernel(0)) {
            old.serve(rq(Opcode.SETXATTR)
                    .u32(1)
                    .u32(2)
                    .name("user.a")
                    .raw((byte) 'v')
                    .bytes());
            assertThat(old.calls).containsExactly("setxattr 7 user.a v 2 false");
        }
    }

    @Test
    void shouldTellWhoAsks() {
        kernel.behaviour = rq -> {
            assertThat(rq.unique()).isEqualTo(WireBytes.UNIQUE);
            assertThat(rq.uid()).isEqualTo(WireBytes.UID);
            assertThat(rq.gid()).isEqualTo(WireBytes.GID);
            assertThat(rq.pid()).isEqualTo(WireBytes.PID);
            rq.replyOk();
        };
        assertThat(kernel.serve(rq(Opcode.READLINK).bytes()))
                .containsExactly(WireBytes.answer().bytes());
    }
}
