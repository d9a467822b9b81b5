package io.tesserafs.node.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SizeTest {
    @ParameterizedTest
    @CsvSource({"0,0", "65536,65536", "4k,4096", "4KiB,4096", "512M,536870912", "4G,4294967296", "1 TB,1099511627776"})
    void shouldReadWhatPeopleWrite(String text, long bytes) {
        assertThat(Size.parse(text).bytes()).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "G", "-1", "1.5G", "4 Q", "4GG", "0x10"})
    void shouldRefuseWhatIsNoSize(String text) {
        assertThatThrownBy(() -> Size.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("not a size");
    }

    @ParameterizedTest
    @ValueSource(strings = {"9999999999999999999", "99999999999T"})
    void shouldRefuseWhatOverflows(String text) {
        assertThatThrownBy(() -> Size.parse(text)).hasMessageContaining("too large");
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 1000, 4096, 6L << 30, (1L << 40) + 1024})
    void shouldWriteWhatItReads(long bytes) {
        assertThat(Size.parse(new Size(bytes).toString()).bytes()).isEqualTo(bytes);
    }

    @Test
    void shouldRoundForDisplay() {
        assertThat(Size.display(512)).isEqualTo("512 B");
        assertThat(Size.display(1536)).isEqualTo("1.5 KiB");
        assertThat(Size.display(4L << 30)).isEqualTo("4.0 GiB");
    }
}
