package io.tesserafs.node.doctor;

import io.tesserafs.node.config.NodeConfig;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;

/** Where the node listens. While its daemon runs, that is found out by the others (see {@link ClusterCheck}). */
final class PortsCheck implements Check {
    private final Subject subject;

    PortsCheck(Subject subject) {
        this.subject = subject;
    }

    @Override
    public String part() {
        return "network";
    }

    @Override
    public void examine(Report report) {
        String listen = subject.config().fabric().listen();
        InetSocketAddress address = Addresses.of(listen);
        if (address.isUnresolved()) {
            report.fail(
                    "listen",
                    "fabric.listen: there is no host " + address.getHostString(),
                    "name an address of this host");
            return;
        }
        if (!subject.runs()) {
            bind("listen", "fabric.listen " + listen, address, report);
        }
        advertised(address, report);
        NodeConfig.CoordinationConfig coordination = subject.config().coordination();
        if (!subject.runs() && !subject.hasEnsemble() && coordination.port() != 0) {
            bind(
                    "zookeeper",
                    "coordination.port " + coordination.port(),
                    new InetSocketAddress(InetAddress.getLoopbackAddress(), coordination.port()),
                    report);
        }
    }

    private static void bind(String what, String name, InetSocketAddress address, Report report) {
        try (ServerSocket socket = new ServerSocket()) {
            socket.bind(address);
            report.ok(what, name + (address.getPort() == 0 ? ": any port" : " is free"));
        } catch (BindException e) {
            report.fail(
                    what,
                    name + ": " + e.getMessage(),
                    "choose another port, or end what uses it ('ss -ltnp' shows it); the address must be one of this host");
        } catch (IOException e) {
            report.fail(what, name + " cannot be used: " + e.getMessage(), "choose another address or port");
        }
    }

    private void advertised(InetSocketAddress listen, Report report) {
        String advertise = subject.config().fabric().advertise().orElse(null);
        InetAddress told = listen.getAddress();
        if (advertise != null) {
            InetSocketAddress resolved = new InetSocketAddress(advertise, 0);
            if (resolved.isUnresolved()) {
                report.fail(
                        "advertise",
                        "fabric.advertise: there is no host " + advertise,
                        "use a name or an address that all nodes know");
                return;
            }
            told = resolved.getAddress();
        } else if (told.isAnyLocalAddress()) {
            report.warn(
                    "advertise",
                    "fabric.listen " + subject.config().fabric().listen()
                            + " is every address, which tells others none",
                    "set fabric.advertise to the address that other nodes reach");
            return;
        }
        boolean elsewhere = Addresses.servers(subject.config()).stream()
                .map(Addresses::of)
                .anyMatch(
                        server -> server.isUnresolved() || !server.getAddress().isLoopbackAddress());
        if (told.isLoopbackAddress() && elsewhere) {
            report.warn(
                    "advertise",
                    "other hosts are told to reach this node at " + told.getHostAddress() + ", which is themselves",
                    "set fabric.listen to an address that other hosts reach");
        } else {
            report.ok("advertise", "others are told " + told.getHostAddress());
        }
    }
}
