package io.tesserafs.fabric.pmem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.pmem.PoolHeader.Condition;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.UUID;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

class PoolHeaderTest {
    static final PoolHeader HEADER = new PoolHeader(
            new UUID(0x0102030405060708L, 0x090a0b0c0d0e0f10L),
            "köln",
            0x1234,
            31,
            0x0000019a00000000L,
            new UUID(0x1112131415161718L, 0x191a1b1c1d1e1f20L),
            true,
            7,
            5);

    @Test
    void shouldHaveTheDocumentedBytes() {
        String golden = "54455353504f4f4c" // TESSPOOL
                + "01000000" + "00020000" // version 1, 512 bytes
                + "0807060504030201" + "100f0e0d0c0b0a09" // pool
                + "6bc3b66c6e" + "00".repeat(59) // cluster
                + "34120000" + "00002000" // brick, block bytes
                + "1f00000000000000" // blocks
                + "0000020000000000" + "0000030000000000" + "0000200000000000" // tables, data
                + "000000009a010000" // created
                + "1817161514131211" + "201f1e1d1c1b1a19" // boot
                + "01000000" + "07000000" // clean, losses
                + "0500000000000000" // sequence
                + "00".repeat(508 - 176);
        byte[] bytes = HEADER.encode();
        assertThat(HexFormat.of().formatHex(bytes, 0, 508)).isEqualTo(golden);
        assertThat(bytes).hasSize(512);
        CRC32C crc = new CRC32C();
        crc.update(bytes, 0, 508);
        assertThat(ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getInt(508))
                .isEqualTo((int) crc.getValue());
    }

    @Test
    void shouldReadBackWhatItWrote() {
        assertThat(PoolHeader.decode(HEADER.encode()).header()).isEqualTo(HEADER);
    }

    @Test
    void shouldNoticeEveryFlippedBit() {
        for (int bit = 0; bit < PoolHeader.BYTES * 8; bit++) {
            byte[] bytes = HEADER.encode();
            bytes[bit / 8] ^= (byte) (1 << (bit % 8));
            assertThat(PoolHeader.decode(bytes).condition())
                    .as("bit %d", bit)
                    .isEqualTo(bit < 64 ? Condition.NO_MAGIC : Condition.DAMAGED);
        }
    }

    @Test
    void shouldRecogniseOtherVersionsAndContradictions() {
        assertThat(PoolHeader.decode(patched(PoolHeader.VERSION_AT, 2)).condition())
                .isEqualTo(Condition.OTHER_VERSION);
        assertThat(PoolHeader.decode(patched(PoolHeader.VERSION_AT, 2)).version())
                .isEqualTo(2);
        for (int at : new int[] {
            PoolHeader.LENGTH_AT,
            PoolHeader.BLOCK_BYTES_AT,
            PoolHeader.TABLE_A_AT,
            PoolHeader.TABLE_B_AT,
            PoolHeader.DATA_AT,
            PoolHeader.BLOCKS_AT
        }) {
            assertThat(PoolHeader.decode(patched(at, 0)).condition()).isEqualTo(Condition.CONTRADICTORY);
        }
        assertThat(PoolHeader.decode(patched(PoolHeader.BRICK_AT, 0x10000)).condition())
                .isEqualTo(Condition.CONTRADICTORY);
    }

    /** The header with another number at one place, and a checksum to match. */
    static byte[] patched(int at, int value) {
        byte[] bytes = HEADER.encode();
        patch(bytes, at, value);
        return bytes;
    }

    static void patch(byte[] bytes, int at, int value) {
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        buffer.putInt(at, value);
        CRC32C crc = new CRC32C();
        crc.update(bytes, 0, PoolHeader.CRC_AT);
        buffer.putInt(PoolHeader.CRC_AT, (int) crc.getValue());
    }

    @Test
    void shouldHoldAClusterNameOf64BytesAndNoMore() {
        String longest = "x".repeat(62) + "ö";
        assertThat(longest.getBytes(StandardCharsets.UTF_8)).hasSize(64);
        assertThat(PoolHeader.decode(HEADER.with(longest, 1).encode()).header())
                .extracting(PoolHeader::cluster)
                .isEqualTo(longest);
        assertThatThrownBy(() -> HEADER.with(longest + "y", 1).encode()).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void shouldPlaceEverythingWithoutOverlap() {
        for (long blocks : new long[] {1, 31, 255, 4096, 4097, 61_000, 62_000, 1_000_000, PoolGeometry.MAX_BLOCKS}) {
            PoolGeometry geometry = new PoolGeometry(blocks);
            assertThat(geometry.tableB()).isGreaterThanOrEqualTo(PoolGeometry.TABLE_A + 16 * blocks);
            assertThat(geometry.dataOffset()).isGreaterThanOrEqualTo(geometry.tableB() + 16 * blocks);
            assertThat(geometry.dataOffset() % PoolGeometry.BLOCK_BYTES).isZero();
            assertThat(PoolGeometry.within(geometry.fileBytes())).isEqualTo(geometry);
            assertThat(PoolGeometry.within(geometry.fileBytes() - 1).blocks()).isEqualTo(blocks - 1);
        }
        assertThat(PoolGeometry.within(64L << 20).blocks()).isEqualTo(31);
    }
}
