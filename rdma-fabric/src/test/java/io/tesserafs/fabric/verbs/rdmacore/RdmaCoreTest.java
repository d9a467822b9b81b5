package io.tesserafs.fabric.verbs.rdmacore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class RdmaCoreTest {
    @Test
    void shouldBeUnavailableForOneReasonWhereThereIsNoDevice() throws IOException {
        Path devices = Path.of("/sys/class/infiniband");
        assumeFalse(Files.isDirectory(devices) && hasEntries(devices), "this host has an RDMA device");
        Throwable first = catchThrowable(RdmaCore::open);
        assertThat(first).isInstanceOf(VerbsUnavailableException.class).hasMessageMatching(".*(device|install).*");
        assertThat(catchThrowable(RdmaCore::open)).hasMessage(first.getMessage());
    }

    private static boolean hasEntries(Path directory) throws IOException {
        try (var entries = Files.list(directory)) {
            return entries.findAny().isPresent();
        }
    }

    @Test
    void shouldNameTheLibraryThatIsMissing() {
        assertThatThrownBy(() -> NativeLibrary.open("libnosuchthing.so.1", "X"))
                .isInstanceOf(VerbsUnavailableException.class)
                .hasMessageContaining("libnosuchthing.so.1");
    }

    @Test
    void shouldRefuseALibraryWithOtherVersionsOfItsFunctions() throws IOException {
        NativeLibrary libc = NativeLibrary.open("libc.so.6", "IBVERBS_1.1");
        assertThatThrownBy(() -> libc.function("getpid", NativeCall.Kind.CODE, 0))
                .isInstanceOf(VerbsUnavailableException.class)
                .hasMessageContaining("getpid@IBVERBS_1.1");
    }

    @Test
    void shouldTakeForCodeOnlyWhatIsMappedToBeExecuted() {
        List<String> map = List.of(
                "1000-2000 r--p 00000000 00:00 0 ",
                "2000-3000 r-xp 00001000 00:00 0 /lib",
                "ffffffffff600000-ffffffffff601000 --xp 0");
        assertThat(Operations.isExecutable(map, 0x1fff)).isFalse();
        assertThat(Operations.isExecutable(map, 0x2000)).isTrue();
        assertThat(Operations.isExecutable(map, 0x2fff)).isTrue();
        assertThat(Operations.isExecutable(map, 0x3000)).isFalse();
        assertThat(Operations.isExecutable(map, 0)).isFalse();
        assertThat(Operations.isExecutable(map, -1)).isFalse();
        assertThat(Operations.isExecutable(map, 0xffffffffff600010L)).isTrue();
    }

    @Test
    void shouldRefuseAContextOfAnotherLayout() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment context = arena.allocate(VerbsLayout.CONTEXT_BYTES, Long.BYTES);
            context.fill((byte) 1);
            assertThatThrownBy(() -> Operations.of(context.address()))
                    .isInstanceOf(VerbsUnavailableException.class)
                    .hasMessageContaining("laid out");
        }
    }

    @Test
    void shouldReadTheAddressesItWrites() throws IOException {
        for (String host : List.of("10.77.0.1", "fe80::1234")) {
            InetSocketAddress address = new InetSocketAddress(InetAddress.getByName(host), 54321);
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment bytes = SocketAddresses.allocate(arena, address);
                byte[] copy = bytes.toArray(ValueLayout.JAVA_BYTE);
                assertThat(SocketAddresses.read(copy)).isEqualTo(address);
            }
        }
        assertThatThrownBy(() -> SocketAddresses.read(new byte[SocketAddresses.bytes()]))
                .isInstanceOf(IOException.class);
    }
}
