package io.tesserafs.node.cli;

import io.tesserafs.node.config.ConfigException;
import io.tesserafs.node.config.NodeConfigReader;
import io.tesserafs.node.daemon.NodeLayout;
import io.tesserafs.node.doctor.Doctor;
import io.tesserafs.node.doctor.Finding;
import io.tesserafs.node.doctor.Subject;
import io.tesserafs.node.doctor.Verdict;
import io.tesserafs.node.host.Host;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tessera doctor}. */
@Command(
        name = "doctor",
        description = {
            "Examine this host, and the nodes that are to run on it, and say what to do. Changes nothing, and needs no running daemon.",
            "",
            "OK, INFO, WARN (works, but worse than it could), FAIL (cannot work). Exit status 1 if anything fails.",
            ""
        },
        footer = {
            "",
            "Examples:",
            "  tessera doctor                               the host, and the cluster in ./.tessera if there is one",
            "  tessera doctor --config /etc/tessera/node.yaml",
            "  tessera doctor --json | jq '.findings[] | select(.verdict == \"FAIL\")'"
        },
        mixinStandardHelpOptions = true)
final class DoctorCommand implements Callable<Integer> {
    /** The longest has four letters. */
    private static final int VERDICT_WIDTH = 6;

    @Mixin
    StateOption state = new StateOption();

    @Mixin
    Output output = new Output();

    @Option(
            names = "--config",
            paramLabel = "FILE",
            description = "YAML file of the node, instead of a local cluster's directory.")
    @Nullable
    Path config;

    /** The JSON form. */
    record Examination(boolean healthy, long failures, long warnings, List<Finding> findings) {
        static Examination of(List<Finding> findings) {
            long failures = count(findings, Verdict.FAIL);
            return new Examination(failures == 0, failures, count(findings, Verdict.WARN), findings);
        }

        private static long count(List<Finding> findings, Verdict verdict) {
            return findings.stream().filter(f -> f.verdict() == verdict).count();
        }
    }

    @Override
    public Integer call() throws IOException, ConfigException {
        // Findings tell what happens; whatever the libraries would log is not for this command's output.
        Logger.getLogger("").setLevel(Level.OFF);
        Examination examination = Examination.of(new Doctor(Host.here(), subjects()).examine());
        if (output.json) {
            output.json(examination);
        } else {
            print(examination);
        }
        return examination.healthy() ? 0 : Main.FAILED;
    }

    private List<Subject> subjects() throws IOException, ConfigException {
        if (config != null) {
            return List.of(Subject.of(NodeConfigReader.read(config.toAbsolutePath())));
        }
        List<Subject> subjects = new ArrayList<>();
        for (NodeLayout layout : DownCommand.nodes(state.directory)) {
            subjects.add(Subject.of(NodeConfigReader.read(layout.config())));
        }
        return subjects;
    }

    private void print(Examination examination) {
        PrintWriter out = output.out();
        List<Finding> findings = examination.findings();
        int width = findings.stream().mapToInt(f -> f.check().length()).max().orElse(0);
        @Nullable Integer node = null;
        out.println("host");
        for (Finding finding : findings) {
            if (!Objects.equals(finding.node(), node)) {
                node = finding.node();
                out.println("node" + node);
            }
            out.println("  " + pad(finding.verdict().name(), VERDICT_WIDTH) + pad(finding.check(), width + 2)
                    + finding.fact());
            if (finding.remedy() != null) {
                out.println(" ".repeat(VERDICT_WIDTH + width + 4) + "-> " + finding.remedy());
            }
        }
        if (findings.stream().allMatch(f -> f.node() == null)) {
            out.println("No node is known here: give --config FILE or --state DIR to examine one.");
        }
        out.println(summary(examination));
    }

    private static String pad(String text, int width) {
        return text + " ".repeat(width - text.length());
    }

    private static String summary(Examination examination) {
        return examination.healthy() && examination.warnings() == 0
                ? "Nothing is wrong."
                : examination.failures() + " failed, " + examination.warnings() + " to be looked at.";
    }
}
