package io.tesserafs.node.doctor;

import io.tesserafs.node.config.Size;
import io.tesserafs.node.host.Host;
import java.io.IOException;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Limits of a process (getrlimit(2)): of the daemon if it runs, else of this one, which what is started from the same shell shares. */
final class LimitsCheck implements Check {
    /** A connection and a lane or two for each peer, a descriptor for each reader thread and pool: hundreds at most, with room. */
    private static final long OPEN_FILES = 4096;

    /** Registered blocks of a small working set, and the buffers of a few bricks and sessions. */
    private static final long LOCKED_BYTES = 1L << 30;

    /** CAP_IPC_LOCK of capabilities(7): the limit on locked memory does not apply. */
    private static final int CAP_IPC_LOCK = 14;

    private static final long UNLIMITED = Long.MAX_VALUE;

    private final Host host;
    private final String process;
    private final boolean rdma;

    /** @param process its number, or "self" */
    LimitsCheck(Host host, String process, boolean rdma) {
        this.host = host;
        this.process = process;
        this.rdma = rdma;
    }

    @Override
    public String part() {
        return "limits";
    }

    @Override
    public void examine(Report report) throws IOException {
        String limits = host.text("/proc/" + process + "/limits")
                .orElseThrow(() -> new IOException("/proc/" + process + "/limits cannot be read"));
        memory(limits, report);
        files(limits, report);
    }

    private String whose() {
        return process.equals("self") ? "of this shell" : "of the daemon, pid " + process;
    }

    private void memory(String limits, Report report) throws IOException {
        long bytes = limit(limits, "Max locked memory");
        if (bytes == UNLIMITED) {
            report.ok("memlock", "locked memory is unlimited (" + whose() + ")");
        } else if (mayLockAnyway()) {
            report.ok(
                    "memlock",
                    "locked memory: " + Size.display(bytes) + ", which CAP_IPC_LOCK overrides (" + whose() + ")");
        } else if (!rdma) {
            report.info(
                    "memlock", "locked memory: " + Size.display(bytes) + " (" + whose() + "); only RDMA needs more");
        } else {
            String fact = "locked memory: " + Size.display(bytes) + " (" + whose()
                    + "); RDMA pins 2 MiB for each handle in use and for each brick and session";
            report.add(
                    "memlock",
                    bytes < LOCKED_BYTES ? Verdict.FAIL : Verdict.WARN,
                    fact,
                    "ulimit -l unlimited; with systemd LimitMEMLOCK=infinity");
        }
    }

    private boolean mayLockAnyway() {
        Optional<String> effective = host.value("/proc/" + process + "/status", "CapEff");
        return effective
                .map(hex -> (Long.parseUnsignedLong(hex, 16) >>> CAP_IPC_LOCK & 1) == 1)
                .orElse(false);
    }

    /** The hard limit counts: the virtual machine raises the soft one to it. */
    private void files(String limits, Report report) throws IOException {
        long files = limit(limits, "Max open files");
        String fact = "open files: " + (files == UNLIMITED ? "unlimited" : files) + " (" + whose() + ")";
        if (files >= OPEN_FILES) {
            report.ok("nofile", fact);
        } else {
            report.warn("nofile", fact, "ulimit -Hn 1048576; with systemd LimitNOFILE=1048576");
        }
    }

    private static long limit(String limits, String name) throws IOException {
        Matcher matcher = Pattern.compile("^" + name + "\\s+(\\S+)\\s+(\\d+|unlimited)\\b.*", Pattern.MULTILINE)
                .matcher(limits);
        if (!matcher.find()) {
            throw new IOException("/proc/PID/limits says nothing of '" + name + "'");
        }
        String hard = matcher.group(2);
        return hard.equals("unlimited") ? UNLIMITED : Long.parseLong(hard);
    }
}
