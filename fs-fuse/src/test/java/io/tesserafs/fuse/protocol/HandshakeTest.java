package io.tesserafs.fuse.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fuse.Errno;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class HandshakeTest {
    private final FakeChannel channel = new FakeChannel();

    private static WireBytes init(int major, int minor) {
        return WireBytes.request(Opcode.INIT, 0).u32(major).u32(minor).u32(131072);
    }

    private Negotiated perform() throws IOException {
        return Handshake.perform(channel, SessionOptions.DEFAULT, false);
    }

    @Test
    void shouldNegotiateWithACurrentKernel() throws IOException {
        channel.requests.add(init(7, 45).u32(-1).u32(-1).zeros(44).bytes());
        Negotiated negotiated = perform();
        assertThat(negotiated.minor()).isEqualTo(45);
        assertThat(negotiated.maxWriteBytes()).isEqualTo(1 << 20);
        assertThat(negotiated.has(InitLayout.SETXATTR_EXT)).isTrue();
        // ASYNC_READ, ATOMIC_O_TRUNC, BIG_WRITES, READDIRPLUS and its AUTO, ASYNC_DIO, PARALLEL_DIROPS, MAX_PAGES,
        // CACHE_SYMLINKS, EXPLICIT_INVAL_DATA, HANDLE_KILLPRIV_V2, SETXATTR_EXT, INIT_EXT; then DIRECT_IO_ALLOW_MMAP.
        assertThat(channel.answers)
                .containsExactly(WireBytes.answer()
                        .u32(7)
                        .u32(45)
                        .u32(131072)
                        .u32(0x72c4e029)
                        .u16(1024)
                        .u16(48)
                        .u32(1 << 20)
                        .u32(1)
                        .u16(256)
                        .u16(0)
                        .u32(0x10)
                        .zeros(28)
                        .bytes());
    }

    @Test
    void shouldAskForLocksOnlyWhenTheyAreHandled() throws IOException {
        channel.requests.add(init(7, 45).u32(-1).u32(-1).zeros(44).bytes());
        Negotiated negotiated = Handshake.perform(channel, SessionOptions.DEFAULT, true);
        assertThat(negotiated.has(InitLayout.POSIX_LOCKS)).isTrue();
        assertThat(negotiated.has(InitLayout.FLOCK_LOCKS)).isTrue();
        byte[] flags = Arrays.copyOfRange(channel.answers.getFirst(), 28, 32);
        assertThat(ByteBuffer.wrap(flags).order(ByteOrder.nativeOrder()).getInt())
                .isEqualTo(0x72c4e029 | 0x402);
    }

    @Test
    void shouldAskForNothingAnOlderKernelDoesNotOffer() throws IOException {
        channel.requests.add(init(7, 31)
                .u32((int) (InitLayout.ASYNC_READ | InitLayout.MAX_PAGES))
                .bytes());
        Negotiated negotiated = perform();
        assertThat(negotiated.minor()).isEqualTo(31);
        assertThat(negotiated.flags()).isEqualTo(InitLayout.ASYNC_READ | InitLayout.MAX_PAGES);
    }

    @Test
    void shouldSpeakNoNewerThanItKnows() throws IOException {
        channel.requests.add(init(7, 99).u32(0).zeros(48).bytes());
        assertThat(perform().minor()).isEqualTo(45);
    }

    @Test
    void shouldWaitForASecondInitFromANewerMajor() throws IOException {
        channel.requests.add(init(8, 0).u32(0).zeros(48).bytes());
        channel.requests.add(init(7, 45).u32(0).zeros(48).bytes());
        assertThat(perform().minor()).isEqualTo(45);
        assertThat(channel.answers).hasSize(2);
    }

    @Test
    void shouldRefuseKernelsThatAreTooOld() {
        channel.requests.add(init(7, 30).u32(0).bytes());
        assertThatThrownBy(this::perform)
                .isInstanceOf(UnsupportedKernelException.class)
                .hasMessage("the kernel speaks FUSE 7.30; needed is 7.31 (Linux 5.4) or newer");
        assertThat(channel.answers).containsExactly(WireBytes.error(Errno.EPROTO));
    }

    @Test
    void shouldRefuseAnythingButInitFirst() {
        channel.requests.add(WireBytes.request(Opcode.GETATTR, 1).zeros(16).bytes());
        assertThatThrownBy(this::perform).isInstanceOf(UnsupportedKernelException.class);
        channel.answers.clear();
        channel.requests.add(new byte[10]);
        assertThatThrownBy(this::perform).isInstanceOf(UnsupportedKernelException.class);
    }

    @Test
    void shouldReportAMountThatVanishes() {
        assertThatThrownBy(this::perform).hasMessageContaining("unmounted");
    }

    @Test
    void shouldSendNotifications() {
        try (Kernel kernel = new Kernel()) {
            Session session = kernel.session;
            session.invalidateInode(5, 4096, 8192);
            session.invalidateEntry(1, new byte[] {'a', 'b'});
            assertThat(session.incrementEpoch()).isTrue();
            assertThat(kernel.channel.answers)
                    .containsExactly(
                            notification(2).u64(5).u64(4096).u64(8192).bytes(),
                            notification(3).u64(1).u32(2).u32(0).name("ab").bytes(),
                            notification(8).bytes());
            kernel.channel.sendErrno = Errno.ENOENT;
            session.invalidateInode(5, 0, 0);
            kernel.channel.sendErrno = Errno.EINVAL;
            assertThatThrownBy(() -> session.invalidateInode(5, 0, 0))
                    .hasMessageContaining(Objects.toString(Errno.EINVAL));
        }
    }

    private static WireBytes notification(int code) {
        return new WireBytes().u32(0).u32(code).u64(0);
    }
}
