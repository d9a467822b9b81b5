package io.tesserafs.node.doctor;

import io.tesserafs.fabric.verbs.rdmacore.DeviceSurvey;
import io.tesserafs.fabric.verbs.rdmacore.VerbsUnavailableException;
import io.tesserafs.node.host.Host;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/** RDMA devices, as the kernel has them and as rdma-core sees them. Without RDMA bytes travel by TCP, so only what was asked for can fail. */
final class RdmaCheck implements Check {
    private static final String INSTALL = "apt install ibverbs-providers librdmacm1 (rdma-core of any distribution)";

    /** The libraries' view. */
    interface Libraries {
        List<DeviceSurvey> devices() throws VerbsUnavailableException;
    }

    private final Host host;
    private final Libraries libraries;
    private final boolean wanted;

    /** @param wanted whether a node of this host is configured to use RDMA */
    RdmaCheck(Host host, Libraries libraries, boolean wanted) {
        this.host = host;
        this.libraries = libraries;
        this.wanted = wanted;
    }

    @Override
    public String part() {
        return "rdma";
    }

    @Override
    public void examine(Report report) {
        List<String> devices = RdmaPort.devices(host);
        if (devices.isEmpty()) {
            report.add(
                    "devices",
                    wanted ? Verdict.FAIL : Verdict.INFO,
                    "this host has no RDMA device; bytes travel by TCP",
                    wanted
                            ? "load the device's driver (or, for trials: rdma link add rxe0 type rxe netdev ETH), or remove fabric.rdma"
                            : null);
        }
        libraries(devices, report);
        RdmaPort.all(host).forEach(port -> port(port, report));
        if (!devices.isEmpty() && !host.has("/dev/infiniband/rdma_cm")) {
            report.warn(
                    "cm", "there is no /dev/infiniband/rdma_cm: queue pairs cannot be connected", "modprobe rdma_ucm");
        }
    }

    private void libraries(List<String> devices, Report report) {
        List<DeviceSurvey> seen;
        try {
            seen = libraries.devices();
            report.ok("libraries", "libibverbs and librdmacm can be used");
        } catch (VerbsUnavailableException e) {
            Verdict verdict = wanted ? Verdict.FAIL : devices.isEmpty() ? Verdict.INFO : Verdict.WARN;
            report.add("libraries", verdict, "rdma-core cannot be used: " + e.getMessage(), INSTALL);
            return;
        }
        for (String device : devices) {
            Optional<DeviceSurvey> known = seen.stream()
                    .filter(survey -> survey.device().equals(device))
                    .findFirst();
            if (known.isEmpty()) {
                report.warn(
                        "device",
                        "the kernel has " + device + ", but libibverbs does not see it",
                        "modprobe ib_uverbs; " + INSTALL);
            } else {
                device(known.get(), report);
            }
        }
    }

    private static void device(DeviceSurvey survey, Report report) {
        survey.attributes()
                .ifPresentOrElse(
                        attributes -> report.ok(
                                "device",
                                survey.device() + ": " + attributes.maxRegistrations() + " registrations, "
                                        + attributes.maxQueuePairs() + " queue pairs, "
                                        + (attributes.bindsWindowsToQueuePairs() ? "" : "no ")
                                        + "memory windows of type 2B, "
                                        + (survey.pagesOnDemand() ? "on-demand paging" : "no on-demand paging")
                                        + (survey.pagesOnDemand() && attributes.isEmulated()
                                                ? " (not used: soft-RoCE's puts bytes in the wrong place)"
                                                : "")
                                        + (attributes.flushes() ? ", FLUSH" : ", no FLUSH")),
                        () -> report.warn(
                                "device",
                                survey.device() + " cannot be opened: " + survey.problem(),
                                "let the daemon's user read and write /dev/infiniband/uverbs*"));
    }

    private static void port(RdmaPort port, Report report) {
        String fact = port.name() + ": " + port.state() + ", " + port.physical() + ", " + port.linkLayer() + ", "
                + port.rate() + ", driver " + port.driver();
        if (!port.isActive()) {
            report.warn("port", fact, whatIfDown(port));
        } else if (port.gids().isEmpty()) {
            report.warn(
                    "port",
                    fact + "; no GID, so nobody can address it",
                    port.isEthernet()
                            ? "give its network interface an IP address (ip address add ...)"
                            : "start a subnet manager (opensm) on the fabric");
        } else {
            report.ok("port", fact + "; GIDs " + gids(port));
            if (port.isEthernet()
                    && port.gids().stream().noneMatch(gid -> gid.type().equals("RoCE v2"))) {
                report.warn(
                        "port",
                        port.name() + " has no GID of RoCE v2, so it reaches its own network segment only",
                        "give its network interface an IP address, and allow RoCE v2 in the device's configuration");
            }
            if (port.isSoftware()) {
                report.info("port", port.name() + " is emulated in software: for trials, slower than TCP");
            }
        }
    }

    private static String gids(RdmaPort port) {
        return port.gids().stream().map(RdmaPort.Gid::toString).collect(Collectors.joining(", "));
    }

    private static String whatIfDown(RdmaPort port) {
        if (port.state().equals("INIT")) {
            return "start a subnet manager (opensm) on the fabric";
        }
        return port.isEthernet()
                ? "ip link set dev INTERFACE up; look at cable and switch"
                : "look at cable and switch; ibstat says more";
    }
}
