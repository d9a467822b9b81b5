package io.tesserafs.node.doctor;

import io.tesserafs.node.config.NodeConfig;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.stream.Stream;

/** Addresses as configurations write them. */
final class Addresses {
    /** ZooKeeper's, if a server is named without one. */
    private static final int ZOOKEEPER_PORT = 2181;

    private Addresses() {}

    /** Of {@code host:port}; unresolved if there is no such host or the port is none. */
    static InetSocketAddress of(String text) {
        int colon = text.lastIndexOf(':');
        String host = colon < 0 ? text : text.substring(0, colon);
        if (host.startsWith("[") && host.endsWith("]")) {
            host = host.substring(1, host.length() - 1);
        }
        if (colon < 0) {
            return new InetSocketAddress(host, ZOOKEEPER_PORT);
        }
        String port = text.substring(colon + 1);
        return port.matches("\\d{1,5}") && Integer.parseInt(port) <= 0xFFFF
                ? new InetSocketAddress(host, Integer.parseInt(port))
                : InetSocketAddress.createUnresolved(host, 0);
    }

    /** The ensemble's; empty if the daemon runs its ZooKeeper itself. */
    static List<String> servers(NodeConfig config) {
        return config.coordination().connect().stream()
                .map(connect -> connect.replaceFirst("/.*", ""))
                .flatMap(connect -> Stream.of(connect.split(",", -1)))
                .map(String::strip)
                .filter(server -> !server.isEmpty())
                .toList();
    }
}
