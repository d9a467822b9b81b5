package io.tesserafs.node.doctor;

import io.tesserafs.node.host.Host;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;

/** Whether fabric.rdma of a node names an address of an RDMA port that works. */
final class RdmaAddressCheck implements Check {
    private final Host host;
    private final String configured;

    RdmaAddressCheck(Host host, String configured) {
        this.host = host;
        this.configured = configured;
    }

    @Override
    public String part() {
        return "rdma";
    }

    @Override
    public void examine(Report report) {
        InetAddress address;
        try {
            address = InetAddress.getByName(configured);
        } catch (UnknownHostException e) {
            report.fail("address", "fabric.rdma: there is no host " + configured, "give an address of the RDMA device");
            return;
        }
        List<RdmaPort> ports = RdmaPort.all(host);
        List<String> down = new ArrayList<>();
        for (RdmaPort port : ports) {
            List<RdmaPort.Gid> gids = port.gidsOf(address);
            if (!gids.isEmpty() && port.isActive()) {
                report.ok("address", "fabric.rdma " + configured + " is GID " + gids.getLast() + " of " + port.name());
                return;
            }
            if (!gids.isEmpty()) {
                down.add(port.name());
            }
        }
        if (!down.isEmpty()) {
            report.fail(
                    "address",
                    "fabric.rdma " + configured + " is an address of " + down.getFirst() + ", which is not active",
                    "bring that port up, or name another address");
        } else if (ports.stream().anyMatch(port -> port.isActive() && !port.isEthernet())) {
            report.info(
                    "address",
                    "fabric.rdma " + configured
                            + " may be an address of IP over InfiniBand; the kernel does not list those here");
        } else {
            report.fail(
                    "address",
                    "fabric.rdma " + configured + " is no address of an RDMA device of this host",
                    "name the IP address of the interface below the device ('rdma link' shows which)");
        }
    }
}
