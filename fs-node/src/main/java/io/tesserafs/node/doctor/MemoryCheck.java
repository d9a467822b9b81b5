package io.tesserafs.node.doctor;

import io.tesserafs.node.config.Size;
import io.tesserafs.node.host.Host;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Huge pages, which pools in memory can use. */
final class MemoryCheck implements Check {
    private static final Pattern CHOSEN = Pattern.compile("\\[(\\w+)]");

    private final Host host;

    MemoryCheck(Host host) {
        this.host = host;
    }

    @Override
    public String part() {
        return "memory";
    }

    @Override
    public void examine(Report report) {
        long total = number("HugePages_Total");
        if (total == 0) {
            report.info(
                    "hugepages",
                    "no huge pages are reserved; only a pool on hugetlbfs needs them",
                    "for such a pool: sysctl vm.nr_hugepages=N, N = size of the pool / " + Size.display(pageBytes()));
        } else {
            report.ok(
                    "hugepages",
                    number("HugePages_Free") + " of " + total + " huge pages of " + Size.display(pageBytes())
                            + " are free");
        }
        String shared =
                host.text("/sys/kernel/mm/transparent_hugepage/shmem_enabled").orElse("");
        Matcher chosen = CHOSEN.matcher(shared);
        if (chosen.find()) {
            report.info(
                    "tmpfs",
                    "transparent huge pages of shared memory: " + chosen.group(1)
                            + "; a pool on tmpfs uses them if it is mounted with huge=always");
        }
    }

    private long pageBytes() {
        return number("Hugepagesize") << 10;
    }

    /** Of /proc/meminfo; sizes are in KiB there. */
    private long number(String key) {
        return host.value("/proc/meminfo", key)
                .map(value -> value.split(" ", -1)[0])
                .filter(digits -> digits.matches("\\d{1,18}"))
                .map(Long::parseLong)
                .orElse(0L);
    }
}
