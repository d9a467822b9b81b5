package io.tesserafs.node.doctor;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Findings of one check, in the order they were made. For one thread. */
final class Report {
    private final String part;
    private final @Nullable Integer node;
    private final List<Finding> findings = new ArrayList<>();

    Report(String part, @Nullable Integer node) {
        this.part = part;
        this.node = node;
    }

    void ok(String what, String fact) {
        add(what, Verdict.OK, fact, null);
    }

    void info(String what, String fact) {
        add(what, Verdict.INFO, fact, null);
    }

    void info(String what, String fact, String remedy) {
        add(what, Verdict.INFO, fact, remedy);
    }

    void warn(String what, String fact, String remedy) {
        add(what, Verdict.WARN, fact, remedy);
    }

    void fail(String what, String fact, String remedy) {
        add(what, Verdict.FAIL, fact, remedy);
    }

    /** Of a severity that is decided elsewhere. */
    void add(String what, Verdict verdict, String fact, @Nullable String remedy) {
        findings.add(
                new Finding(part + "." + what, node, verdict, oneLine(fact), remedy == null ? null : oneLine(remedy)));
    }

    List<Finding> findings() {
        return List.copyOf(findings);
    }

    private static String oneLine(String text) {
        return text.strip().replaceAll("\\s*\\R\\s*", "; ");
    }
}
