package io.tesserafs.cluster.history;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.cluster.history.AppendLayout.Journal;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class AppendCheckerTest {
    private static final byte NOT = 0;
    private static final byte MAYBE = AppendLayout.UNKNOWN;
    private static final byte YES = AppendLayout.CONFIRMED;

    private static final Journal ONE = new Journal(1, new byte[] {YES, YES, MAYBE, YES, NOT});
    private static final Journal TWO = new Journal(2, new byte[] {YES, YES, NOT, NOT, NOT});
    private static final List<Journal> BOTH = List.of(ONE, TWO);

    private static byte[] file(byte[]... parts) {
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            file.writeBytes(part);
        }
        return file.toByteArray();
    }

    private static byte[] record(int writer, int number) {
        return AppendLayout.record(writer, number);
    }

    private static List<String> check(byte[]... parts) {
        return AppendChecker.check(file(parts), BOTH, false);
    }

    @Test
    void shouldAcceptAnyMixOfWholeRecordsInEachWritersOrder() {
        assertThat(check(record(2, 0), record(1, 0), record(1, 1), record(2, 1), record(1, 3)))
                .isEmpty();
        assertThat(check(record(1, 0), record(1, 1), record(1, 2), record(1, 3), record(2, 0), record(2, 1)))
                .isEmpty();
    }

    @Test
    void shouldMissALostRecord() {
        assertThat(check(record(2, 0), record(1, 0), record(2, 1), record(1, 3)))
                .containsExactly("record 1 of writer 1 is lost");
    }

    @Test
    void shouldSeeARecordThatIsThereTwice() {
        assertThat(check(record(2, 0), record(1, 0), record(1, 1), record(1, 1), record(2, 1), record(1, 3)))
                .singleElement()
                .asString()
                .endsWith("is there twice");
        assertThat(check(
                        record(1, 2),
                        record(2, 0),
                        record(1, 0),
                        record(1, 1),
                        record(1, 2),
                        record(2, 1),
                        record(1, 3)))
                .contains("record 2 of writer 1 at byte "
                        + (record(1, 2).length + record(2, 0).length + record(1, 0).length + record(1, 1).length)
                        + " is there twice");
    }

    @Test
    void shouldSeeRecordsOutOfOrder() {
        assertThat(check(record(2, 1), record(2, 0), record(1, 0), record(1, 1), record(1, 3)))
                .containsExactly("record 0 of writer 2 at byte " + record(2, 1).length + " comes after its record 1");
    }

    @Test
    void shouldSeeATornRecord() {
        byte[] whole = record(1, 1);
        byte[] torn = whole.clone();
        Arrays.fill(torn, 40, 48, (byte) 0);
        assertThat(check(record(2, 0), record(1, 0), torn, record(2, 1), record(1, 3)))
                .hasSize(2)
                .anyMatch(
                        text -> text.contains("are no record; the first 40 are the beginning of record 1 of writer 1"))
                .contains("record 1 of writer 1 is lost");
        assertThat(check(record(2, 0), record(1, 0), Arrays.copyOf(whole, 32), record(2, 1), whole, record(1, 3)))
                .hasSize(1);
    }

    @Test
    void shouldSeeOneRecordWrittenOverAnother() {
        byte[] file = file(record(1, 0), record(1, 1), record(1, 3), record(2, 0), record(2, 1));
        byte[] over = record(2, 0);
        System.arraycopy(over, 0, file, 16, over.length);
        assertThat(AppendChecker.check(file, BOTH, false))
                .contains("record 0 of writer 1 is lost")
                .anyMatch(text -> text.contains("there twice"));
    }

    @Test
    void shouldSeeForeignBytes() {
        assertThat(check(record(2, 0), record(1, 0), new byte[8], record(1, 1), record(2, 1), record(1, 3)))
                .hasSize(1);
        assertThat(check(record(2, 0), record(1, 0), record(1, 1), record(2, 1), record(1, 3), record(1, 4)))
                .hasSize(1);
        assertThat(check(record(2, 0), record(1, 0), record(1, 1), record(2, 1), record(1, 3), record(7, 0)))
                .hasSize(1);
    }

    @Test
    void shouldLetOnlyUnknownRecordsTear() {
        byte[] beginning = Arrays.copyOf(record(1, 2), 50);
        byte[] torn =
                file(record(1, 0), record(1, 1), beginning, new byte[14], record(1, 3), record(2, 0), record(2, 1));
        assertThat(AppendChecker.check(torn, BOTH, false)).hasSize(1);
        assertThat(AppendChecker.check(torn, BOTH, true)).isEmpty();
        byte[] wrong = file(
                record(1, 0), record(1, 1), Arrays.copyOf(record(2, 1), 50), record(1, 3), record(2, 0), record(2, 1));
        assertThat(AppendChecker.check(wrong, BOTH, true)).hasSize(1);
    }

    @Test
    void shouldKeepTheRecordsLayout() {
        byte[] record = record(1, 0);
        assertThat(new String(record, 0, 8, java.nio.charset.StandardCharsets.US_ASCII))
                .isEqualTo("TSRAPPND");
        assertThat(record[AppendLayout.WRITER]).isEqualTo((byte) 1);
        assertThat(record.length % 8).isZero();
        assertThat(AppendLayout.mix(1, 0, 0)).isEqualTo(MIX_1_0_0);
    }

    /** As {@code history.h} computes it. */
    private static final long MIX_1_0_0 = 0x6f68_2616_bae3_641aL;
}
