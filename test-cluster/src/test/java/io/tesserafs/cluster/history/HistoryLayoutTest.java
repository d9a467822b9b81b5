package io.tesserafs.cluster.history;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.cluster.history.Operation.Kind;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

class HistoryLayoutTest {
    /** A write that was done, a write without an answer, a read that was done, a read without one. */
    private static final String GOLDEN = "54535248495354310300000000000000"
            + "00".repeat(48)
            + "0200000001000000001000000000000007000000000000000a000000000000000b00000000000000"
            + "0200000000000000081000000000000008000000000000000c000000000000000000000000000000"
            + "0100000001000000081000000000000000000000000000000d000000000000000e00000000000000"
            + "0100000000000000081000000000000000000000000000000f000000000000000000000000000000"
            + "00".repeat(40);

    private static byte[] golden() {
        return HexFormat.of().parseHex(GOLDEN);
    }

    @Test
    void shouldReadWhatTheCProgramsWrite() throws IOException {
        assertThat(HistoryLayout.decode(golden()))
                .containsExactly(
                        new Operation(3, Kind.WRITE, 4096, 7, 10, 11),
                        new Operation(3, Kind.WRITE, 4104, 8, 12, Operation.UNKNOWN),
                        new Operation(3, Kind.READ, 4104, 0, 13, 14));
    }

    @Test
    void shouldEndWithTheFile() throws IOException {
        int whole = HistoryLayout.HEADER_BYTES + HistoryLayout.RECORD_BYTES;
        assertThat(HistoryLayout.decode(Arrays.copyOf(golden(), whole))).hasSize(1);
        assertThat(HistoryLayout.decode(Arrays.copyOf(golden(), whole - 1))).isEmpty();
    }

    @Test
    void shouldRefuseOtherFiles() {
        assertThatThrownBy(() -> HistoryLayout.decode("hello".getBytes(StandardCharsets.US_ASCII)))
                .isInstanceOf(IOException.class);
        byte[] odd = golden();
        odd[HistoryLayout.HEADER_BYTES] = 9;
        assertThatThrownBy(() -> HistoryLayout.decode(odd))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("kind 9");
    }
}
