package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class MessageLayoutTest {
    private static ByteBuffer message() {
        return ByteBuffer.allocate(MessageLayout.MESSAGE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    }

    @Test
    void shouldKeepItsBytes() throws Exception {
        ByteBuffer message = message();
        MessageLayout.putHeader(message, 0x0102, 0x15);
        assertThat(message.getLong(0)).isEqualTo(0x0000_0015_0000_0102L);
        assertThat(MessageLayout.open(message, MessageLayout.HEADER_BYTES + 0x0102))
                .isEqualTo(0x15);
        assertThat(message.position()).isEqualTo(MessageLayout.HEADER_BYTES);
        assertThat(message.remaining()).isEqualTo(0x0102);
    }

    @Test
    void shouldTakeTheShortestAndTheLongest() throws Exception {
        for (int carried : new int[] {0, 1, MessageLayout.MAX_CARRIED_BYTES}) {
            ByteBuffer message = message();
            MessageLayout.putHeader(message, carried, MessageLayout.RECEIVES);
            assertThat(MessageLayout.open(message, MessageLayout.HEADER_BYTES + carried))
                    .isEqualTo(MessageLayout.RECEIVES);
            assertThat(message.remaining()).isEqualTo(carried);
        }
    }

    /** Length announced, credits, reserved, bytes that the device says have come. */
    @Test
    void shouldRefuseWhatCannotBe() {
        int header = MessageLayout.HEADER_BYTES;
        int[][] wrong = {
            {0, 0, 0, 0},
            {0, 0, 0, header - 1},
            {-1, 0, 0, header - 1},
            {5, 0, 0, header + 4},
            {5, 0, 0, header + 6},
            {-1, 0, 0, header + 5},
            {Integer.MIN_VALUE, 0, 0, header},
            {MessageLayout.MAX_CARRIED_BYTES + 1, 0, 0, MessageLayout.MESSAGE_BYTES + 1},
            {5, MessageLayout.RECEIVES + 1, 0, header + 5},
            {5, 0xFFFF, 0, header + 5},
            {5, 0, 1, header + 5},
        };
        for (int[] one : wrong) {
            ByteBuffer message = message();
            MessageLayout.putHeader(message, one[0], one[1]);
            message.putShort(MessageLayout.RESERVED_AT, (short) one[2]);
            assertThatThrownBy(() -> MessageLayout.open(message, one[3]))
                    .as(Arrays.toString(one))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("breaks the protocol");
        }
    }
}
