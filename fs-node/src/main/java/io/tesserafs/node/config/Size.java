package io.tesserafs.node.config;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A number of bytes as people write it: {@code 4G}, {@code 512MiB}, {@code 1048576}. Units are powers of 1024. */
public record Size(long bytes) {
    private static final Pattern FORMAT =
            Pattern.compile("(\\d{1,19})\\s*(?:([kmgt])(?:i?b)?|b)?", Pattern.CASE_INSENSITIVE);

    private static final String UNITS = "kmgt";

    public Size {
        if (bytes < 0) {
            throw new IllegalArgumentException("a size cannot be negative: " + bytes);
        }
    }

    /**
     * Parses a size.
     *
     * @throws IllegalArgumentException with a message for users
     */
    @JsonCreator
    public static Size parse(String text) {
        Matcher matcher = FORMAT.matcher(text.strip());
        if (!matcher.matches()) {
            throw new IllegalArgumentException("'" + text + "' is not a size; write for example 4G, 512M or 65536");
        }
        try {
            long number = Long.parseLong(matcher.group(1));
            String unit = matcher.group(2);
            int shift = unit == null ? 0 : 10 * (1 + UNITS.indexOf(unit.toLowerCase(Locale.ROOT)));
            return new Size(Math.multiplyExact(number, 1L << shift));
        } catch (ArithmeticException | NumberFormatException e) {
            throw new IllegalArgumentException("'" + text + "' is too large a size", e);
        }
    }

    /** The shortest exact form, which {@link #parse} reads back. */
    @Override
    @JsonValue
    public String toString() {
        long value = bytes;
        int unit = -1;
        while (value != 0 && value % 1024 == 0 && unit + 1 < UNITS.length()) {
            value /= 1024;
            unit++;
        }
        return unit < 0
                ? Long.toString(value)
                : value + UNITS.substring(unit, unit + 1).toUpperCase(Locale.ROOT);
    }

    /** Rounded, for display only: {@code 1.5 GiB}. */
    public static String display(long bytes) {
        if (bytes < 1024) {
            return bytes + " B";
        }
        double value = bytes;
        int unit = -1;
        while (value >= 1024 && unit + 1 < UNITS.length()) {
            value /= 1024;
            unit++;
        }
        String prefix = UNITS.substring(unit, unit + 1).toUpperCase(Locale.ROOT);
        return String.format(Locale.ROOT, value < 10 ? "%.1f %siB" : "%.0f %siB", value, prefix);
    }
}
