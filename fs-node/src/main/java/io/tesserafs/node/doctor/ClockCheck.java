package io.tesserafs.node.doctor;

import io.tesserafs.node.host.Host;
import java.io.IOException;
import java.util.Set;

/**
 * Clocks. Leases run on the monotonic clock of each host, and nothing that must be right relies on the time of day: that only makes
 * timestamps of files comparable between hosts.
 */
final class ClockCheck implements Check {
    /** Read in user space; each of the others costs a system call and a slow device access for every reading. */
    private static final Set<String> FAST =
            Set.of("tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "xen");

    private static final long US_PER_MS = 1000;

    /**
     * What steers the time of day.
     *
     * @param maxErrorUs the kernel's bound; meaningless if not steered
     */
    record State(boolean steered, long maxErrorUs) {}

    /** Asks the kernel. */
    interface Asking {
        State ask() throws IOException;
    }

    private final Host host;
    private final Asking asking;

    ClockCheck(Host host, Asking asking) {
        this.host = host;
        this.asking = asking;
    }

    @Override
    public String part() {
        return "clock";
    }

    @Override
    public void examine(Report report) {
        String source = host.text("/sys/devices/system/clocksource/clocksource0/current_clocksource")
                .orElse("");
        if (FAST.contains(source)) {
            report.ok("monotonic", "clock source " + source);
        } else if (source.isEmpty()) {
            report.info("monotonic", "the kernel does not say what its clock source is");
        } else {
            report.warn(
                    "monotonic",
                    "clock source " + source + " is slow to read",
                    "see what is in /sys/devices/system/clocksource/clocksource0/available_clocksource; tsc is best");
        }
        timeOfDay(report);
    }

    private void timeOfDay(Report report) {
        try {
            State state = asking.ask();
            if (state.steered()) {
                report.info(
                        "ntp",
                        "time of day is synchronised, error at most " + state.maxErrorUs() / US_PER_MS
                                + " ms; only timestamps of files depend on it");
            } else {
                report.info(
                        "ntp",
                        "time of day is not synchronised; only timestamps of files depend on it",
                        "run chrony or systemd-timesyncd on all hosts");
            }
        } catch (IOException e) {
            report.info("ntp", "whether time of day is synchronised is not known: " + e.getMessage());
        }
    }
}
