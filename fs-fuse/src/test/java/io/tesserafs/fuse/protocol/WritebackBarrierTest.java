package io.tesserafs.fuse.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.OpenFlags;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableSet;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** With a kernel by hand that does what Linux before 6.16 does when a file is opened by its handle, and read. */
class WritebackBarrierTest {
    private static final int PAGE = 4096;
    private static final int INO = 77;
    private static final int FD = 9;
    private static final int BEFORE_6_16 = 38;

    /** The page cache of one file. */
    private final class OldKernel implements InodeFiles {
        private final NavigableSet<Long> cachedPages = new TreeSet<>();
        private final List<String> closed = new ArrayList<>();
        private long size = 1L << 40;
        private int openError;
        private int signals;
        private boolean asksForAttributes;
        private boolean mountedAbove;
        private boolean readsAhead = true;
        private long handle;

        @Override
        public int open(long ino) {
            if (asksForAttributes) {
                attributes(1, 0x4000);
                attributes(INO, 0x8000);
            }
            if (!mountedAbove) {
                opened(WireBytes.request(Opcode.OPENDIR, 1).u32(0x10000).u32(0).bytes());
            }
            if (signals-- > 0) {
                return -Errno.EINTR;
            }
            if (openError != 0) {
                return -openError;
            }
            if (!mountedAbove) {
                handle = opened(
                        WireBytes.request(Opcode.OPEN, INO).u32(0x8000).u32(0).bytes());
            }
            return FD;
        }

        private long opened(byte[] request) {
            ByteBuffer answer = answer(request);
            assertThat(answer.getInt(4)).isZero();
            assertThat(answer.getInt(24)).isEqualTo(OpenFlags.KEEP_CACHE | OpenFlags.NOFLUSH);
            assertThat(answer.getLong(16)).isNegative();
            return answer.getLong(16);
        }

        private void attributes(int ino, int type) {
            attributes(WireBytes.request(Opcode.GETATTR, ino).zeros(16).bytes(), ino, type);
        }

        /** Not by the thread that opens. */
        private void attributesOfHandle() {
            byte[] request = WireBytes.request(Opcode.GETATTR, INO)
                    .u32(AttrLayout.FLAG_GETATTR_FH)
                    .u32(0)
                    .u64(handle)
                    .bytes();
            attributes(request, INO, 0x8000);
        }

        /** Of the type that it is, without a time to live, after an invalidation. */
        private void attributes(byte[] request, int ino, int type) {
            List<byte[]> sent = kernel.serve(request);
            assertThat(sent).hasSize(2);
            ByteBuffer invalidation = ByteBuffer.wrap(sent.getFirst()).order(ByteOrder.nativeOrder());
            assertThat(invalidation.getInt(4)).isEqualTo(NotifyLayout.CODE_INVAL_INODE);
            assertThat(invalidation.getLong(16)).isEqualTo(ino);
            assertThat(invalidation.getLong(24)).isEqualTo(-1);
            ByteBuffer answer = ByteBuffer.wrap(sent.getLast()).order(ByteOrder.nativeOrder());
            assertThat(answer.getLong(16)).isZero();
            assertThat(answer.getInt(32 + AttrLayout.MODE)).isEqualTo(type);
        }

        @Override
        public long read(int fd, long offset, int bytes) {
            assertThat(fd).isEqualTo(FD);
            reads.add(offset / PAGE + "+" + bytes / PAGE);
            if (offset + bytes > size) {
                attributesOfHandle();
            }
            if (offset >= size) {
                return 0;
            }
            long page = offset / PAGE;
            long end = (Math.min(offset + bytes, size) + PAGE - 1) / PAGE;
            if (cachedPages.contains(page)) {
                long to = page;
                while (to < end && cachedPages.contains(to)) {
                    to++;
                }
                return Math.min(to * PAGE, size) - offset;
            }
            if (readsAhead) {
                Long cached = cachedPages.ceiling(page);
                arrive(page, cached == null || cached > end ? end : cached);
            }
            arrive(page, page + 1);
            return -Errno.EIO;
        }

        private void arrive(long from, long to) {
            ByteBuffer answer = answer(WireBytes.request(Opcode.READ, INO)
                    .u64(handle)
                    .u64(from * PAGE)
                    .u32((int) (to - from) * PAGE)
                    .zeros(20)
                    .bytes());
            assertThat(answer.getInt(4)).isEqualTo(-Errno.EIO);
        }

        @Override
        public void close(int fd) {
            if (!mountedAbove) {
                byte[] release = WireBytes.request(Opcode.RELEASE, INO)
                        .u64(handle)
                        .zeros(16)
                        .bytes();
                assertThat(answer(release).getInt(4)).isZero();
            }
            closed.add("fd " + fd);
        }

        @Override
        public int threadId() {
            return WireBytes.PID;
        }
    }

    private final List<String> reads = new ArrayList<>();
    private final OldKernel files = new OldKernel();
    private final Kernel kernel = new Kernel(new Negotiated(BEFORE_6_16, Kernel.MAX_WRITE, -1L), files);

    @AfterEach
    void nothingReachesTheFileSystem() {
        assertThat(kernel.calls).isEmpty();
        kernel.close();
    }

    private ByteBuffer answer(byte[] request) {
        List<byte[]> answers = kernel.serve(request);
        assertThat(answers).hasSize(1);
        return ByteBuffer.wrap(answers.getFirst()).order(ByteOrder.nativeOrder());
    }

    @Test
    void shouldHaveEveryPageOfTheRangeReadIn() {
        kernel.session.awaitWriteback(INO, 3 * PAGE + 100, 700 * PAGE);
        assertThat(reads).containsExactly("3+256", "259+256", "515+185");
        assertThat(files.closed).containsExactly("fd 9");
    }

    @Test
    void shouldGoPageByPageWhereTheKernelDoes() {
        files.readsAhead = false;
        kernel.session.awaitWriteback(INO, 0, 3 * PAGE);
        assertThat(reads).containsExactly("0+3", "1+2", "2+1");
    }

    @Test
    void shouldPassPagesThatSomebodyElseHasReadIn() {
        files.cachedPages.addAll(List.of(0L, 1L, 5L));
        kernel.session.awaitWriteback(INO, 0, 8 * PAGE);
        assertThat(reads).containsExactly("0+8", "2+6", "5+3", "6+2");
    }

    @Test
    void shouldEndWhereTheFileEnds() {
        files.size = 2 * PAGE + 10;
        files.cachedPages.add(2L);
        kernel.session.awaitWriteback(INO, 0, Long.MAX_VALUE);
        assertThat(reads).containsExactly("0+256", "2+256", "2+256");
    }

    @Test
    void shouldAnswerChecksOfPermissionsWithoutSayingAnything() {
        files.asksForAttributes = true;
        kernel.session.awaitWriteback(INO, 0, PAGE);
        assertThat(reads).containsExactly("0+1");
    }

    @Test
    void shouldHaveNothingToWaitForWithoutAnInode() {
        files.openError = Errno.ESTALE;
        kernel.session.awaitWriteback(INO, 0, PAGE);
        assertThat(reads).isEmpty();
    }

    @Test
    void shouldOpenAgainIfASignalCameInBetween() {
        files.signals = 2;
        kernel.session.awaitWriteback(INO, 0, PAGE);
        assertThat(reads).containsExactly("0+1");
    }

    @Test
    void shouldNotReadWhatIsMountedAbove() {
        files.mountedAbove = true;
        kernel.session.awaitWriteback(INO, 0, PAGE);
        assertThat(reads).isEmpty();
        assertThat(files.closed).hasSize(1);
    }

    @Test
    void shouldLeaveRequestsOfOthersToTheFileSystem() {
        kernel.serve(WireBytes.request(Opcode.OPEN, INO).u32(0).u32(0).bytes());
        kernel.serve(WireBytes.request(Opcode.READ, INO).u64(3).zeros(32).bytes());
        kernel.serve(WireBytes.request(Opcode.RELEASE, INO).u64(3).zeros(16).bytes());
        assertThat(kernel.calls).hasSize(3);
        kernel.calls.clear();
    }

    @Test
    void shouldHaveNoParallelDirectWritesWhereOpeningWaitsForThem() {
        int wanted = OpenFlags.DIRECT_IO | OpenFlags.PARALLEL_DIRECT_WRITES;
        assertThat(openFlags(39, wanted)).isEqualTo(wanted);
        assertThat(openFlags(40, wanted)).isEqualTo(OpenFlags.DIRECT_IO);
        assertThat(openFlags(43, wanted)).isEqualTo(OpenFlags.DIRECT_IO);
        assertThat(openFlags(44, wanted)).isEqualTo(wanted);
    }

    private int openFlags(int minor, int wanted) {
        try (Kernel other = new Kernel(new Negotiated(minor, Kernel.MAX_WRITE, -1L), files)) {
            other.behaviour = rq -> rq.replyOpen(5, wanted);
            byte[] answer = other.serve(
                            WireBytes.request(Opcode.OPEN, INO).u32(0).u32(0).bytes())
                    .getFirst();
            return ByteBuffer.wrap(answer).order(ByteOrder.nativeOrder()).getInt(24);
        }
    }

    @Test
    void shouldNotBeThereForKernelsThatKeepPagesUntilTheyAreWritten() {
        try (Kernel later = new Kernel(new Negotiated(44, Kernel.MAX_WRITE, -1L), files)) {
            later.session.awaitWriteback(INO, 0, PAGE);
            assertThat(reads).isEmpty();
        }
    }
}
