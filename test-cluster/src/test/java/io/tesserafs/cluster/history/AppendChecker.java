package io.tesserafs.cluster.history;

import io.tesserafs.cluster.history.AppendLayout.Journal;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Judges a file that many processes appended to: every confirmed record is in it exactly once and in one piece, those of a writer in the
 * order in which it appended them, and nothing else is there. Records of unknown outcome may be there, once. With
 * {@code mayTear}, after errors, a record of unknown outcome may also have left its beginning or zeros.
 */
public final class AppendChecker {
    /** Violations listed; a broken file has thousands. */
    private static final int MAX_LISTED = 20;

    private final byte[] file;
    private final boolean mayTear;
    private final Map<Integer, Writer> writers = new HashMap<>();
    private final List<String> violations = new ArrayList<>();

    private static final class Writer {
        final Journal journal;
        final BitSet found = new BitSet();
        long last = -1;

        Writer(Journal journal) {
            this.journal = journal;
        }
    }

    private record Found(Writer writer, int number, int length) {}

    private AppendChecker(byte[] file, List<Journal> journals, boolean mayTear) {
        this.file = file;
        this.mayTear = mayTear;
        for (Journal journal : journals) {
            if (writers.put(journal.writer(), new Writer(journal)) != null) {
                throw new IllegalArgumentException("two journals of writer " + journal.writer());
            }
        }
    }

    /** All that is wrong, in words. */
    public static List<String> check(byte[] file, List<Journal> journals, boolean mayTear) {
        AppendChecker checker = new AppendChecker(file, journals, mayTear);
        checker.walk();
        checker.findLost();
        return checker.violations.size() <= MAX_LISTED ? checker.violations : checker.violations.subList(0, MAX_LISTED);
    }

    private void walk() {
        int at = 0;
        while (at < file.length) {
            Found found = recordAt(at);
            if (found == null) {
                int next = nextRecord(at + 1);
                if (!(mayTear && isLeftover(at, next))) {
                    violations.add("bytes " + at + " to " + next + " are no record" + hint(at));
                }
                at = next;
            } else {
                note(found, at);
                at += found.length();
            }
        }
    }

    private void note(Found found, int at) {
        Writer writer = found.writer();
        String name = "record " + found.number() + " of writer " + writer.journal.writer() + " at byte " + at;
        if (writer.found.get(found.number())) {
            violations.add(name + " is there twice");
        } else if (found.number() < writer.last) {
            violations.add(name + " comes after its record " + writer.last);
        }
        writer.found.set(found.number());
        writer.last = Math.max(writer.last, found.number());
    }

    private void findLost() {
        for (Writer writer : writers.values()) {
            byte[] states = writer.journal.states();
            for (int number = 0; number < states.length; number++) {
                if (states[number] == AppendLayout.CONFIRMED && !writer.found.get(number)) {
                    violations.add("record " + number + " of writer " + writer.journal.writer() + " is lost");
                }
            }
        }
    }

    private @Nullable Found recordAt(int at) {
        if (file.length - at < AppendLayout.HEADER_BYTES) {
            return null;
        }
        ByteBuffer buffer = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
        if (buffer.getLong(at) != AppendLayout.MAGIC) {
            return null;
        }
        Writer writer = writers.get(buffer.getInt(at + AppendLayout.WRITER));
        long number = buffer.getLong(at + AppendLayout.NUMBER);
        if (writer == null || writer.journal.state(number) == 0) {
            return null;
        }
        byte[] expected = AppendLayout.record(writer.journal.writer(), number);
        boolean whole = expected.length <= file.length - at
                && Arrays.equals(file, at, at + expected.length, expected, 0, expected.length);
        return whole ? new Found(writer, (int) number, expected.length) : null;
    }

    private int nextRecord(int from) {
        int at = from;
        while (at < file.length && recordAt(at) == null) {
            at++;
        }
        return at;
    }

    private String hint(int at) {
        for (Writer writer : writers.values()) {
            byte[] states = writer.journal.states();
            for (int number = 0; number < states.length; number++) {
                byte[] record = AppendLayout.record(writer.journal.writer(), number);
                int common = commonBytes(at, file.length, record);
                if (common > AppendLayout.HEADER_BYTES) {
                    return "; the first " + common + " are the beginning of record " + number + " of writer "
                            + writer.journal.writer() + ", which has " + record.length;
                }
            }
        }
        return "";
    }

    private int commonBytes(int from, int to, byte[] record) {
        int length = Math.min(to - from, record.length);
        int mismatch = Arrays.mismatch(file, from, from + length, record, 0, length);
        return mismatch < 0 ? length : mismatch;
    }

    /** Whether these bytes are beginnings of records of unknown outcome, and zeros. */
    private boolean isLeftover(int from, int to) {
        int at = from;
        while (at < to) {
            int step = file[at] == 0 ? 1 : longestBeginning(at, to);
            if (step == 0) {
                return false;
            }
            at += step;
        }
        return true;
    }

    private int longestBeginning(int from, int to) {
        int longest = 0;
        for (Writer writer : writers.values()) {
            byte[] states = writer.journal.states();
            for (int number = 0; number < states.length; number++) {
                if (states[number] == AppendLayout.UNKNOWN) {
                    byte[] record = AppendLayout.record(writer.journal.writer(), number);
                    longest = Math.max(longest, commonBytes(from, to, record));
                }
            }
        }
        return longest;
    }
}
