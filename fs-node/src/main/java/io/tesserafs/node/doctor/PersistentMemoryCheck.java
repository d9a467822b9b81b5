package io.tesserafs.node.doctor;

import io.tesserafs.node.config.Size;
import io.tesserafs.node.host.Host;
import java.util.List;
import java.util.Optional;

/** Persistent memory that this host has, used or not. */
final class PersistentMemoryCheck implements Check {
    private static final String DAX = "/sys/bus/dax/devices/";

    private final Host host;

    PersistentMemoryCheck(Host host) {
        this.host = host;
    }

    @Override
    public String part() {
        return "dax";
    }

    @Override
    public void examine(Report report) {
        List<String> devices = host.names(DAX);
        List<String> disks = host.names("/sys/block").stream()
                .filter(name -> name.startsWith("pmem"))
                .toList();
        if (devices.isEmpty() && disks.isEmpty()) {
            report.info("devices", "this host has no persistent memory; pools are files on disk, or lost at reboot");
            return;
        }
        for (String device : devices) {
            report.info("devices", describe(host, device));
        }
        for (String disk : disks) {
            boolean dax =
                    host.text("/sys/block/" + disk + "/queue/dax").orElse("0").equals("1");
            if (dax) {
                report.info("devices", "/dev/" + disk + ": for ext4 or xfs with DAX (mount -o dax=always)");
            } else {
                report.warn(
                        "devices",
                        "/dev/" + disk + " cannot do DAX: its namespace is in sector or raw mode",
                        "ndctl create-namespace -f -e NAMESPACE --mode=fsdax (deletes what is on it)");
            }
        }
        for (String region : host.names("/sys/bus/nd/devices")) {
            domain(region).ifPresent(domain -> persistence(region, domain, report));
        }
    }

    private Optional<String> domain(String region) {
        return host.text("/sys/bus/nd/devices/" + region + "/persistence_domain");
    }

    private static void persistence(String region, String domain, Report report) {
        switch (domain) {
            case "cpu_cache" ->
                report.ok("persistence", region + ": what is in the processor's caches survives too (eADR)");
            case "memory_controller" ->
                report.ok("persistence", region + ": what was written back to memory survives (ADR)");
            default ->
                report.warn(
                        "persistence",
                        region + ": the platform does not say what survives the loss of power ('" + domain + "')",
                        "ask its vendor for ADR; without it fsync promises nothing there");
        }
    }

    /** One device of the kind {@code /dev/daxX.Y}. */
    static String describe(Host host, String device) {
        String size = number(host, device, "size");
        String align = number(host, device, "align");
        return "/dev/" + device + ": device DAX, " + size + ", aligned to " + align + ", driver "
                + driver(host, device).orElse("none");
    }

    static Optional<String> driver(Host host, String device) {
        return host.linkName(DAX + device + "/driver");
    }

    static boolean knows(Host host, String device) {
        return host.has(DAX + device);
    }

    private static String number(Host host, String device, String file) {
        return host.text(DAX + device + "/" + file)
                .filter(digits -> digits.matches("\\d{1,18}"))
                .map(digits -> Size.display(Long.parseLong(digits)))
                .orElse("?");
    }
}
