package io.tesserafs.node.doctor;

import io.tesserafs.node.host.Host;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A port of an RDMA device as /sys/class/infiniband has it (the kernel's Documentation/ABI/stable/sysfs-class-infiniband).
 *
 * @param state such as {@code ACTIVE}, {@code DOWN}, {@code INIT}
 * @param physical such as {@code LinkUp}, {@code Disabled}, {@code Polling}
 * @param linkLayer {@code Ethernet} or {@code InfiniBand}
 * @param rate as the kernel writes it: {@code 100 Gb/sec (4X EDR)}
 */
record RdmaPort(
        String device,
        int port,
        String driver,
        String state,
        String physical,
        String linkLayer,
        String rate,
        List<Gid> gids) {
    static final String CLASS = "/sys/class/infiniband";

    private static final String ZERO = "0000:0000:0000:0000:0000:0000:0000:0000";

    /** An IPv4 address stands in the last four bytes after these. */
    private static final byte[] MAPPED = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (byte) 0xFF, (byte) 0xFF};

    private static final int BYTES = 16;

    /**
     * An address of the port.
     *
     * @param value sixteen bytes as eight groups of hexadecimal digits
     * @param type {@code IB/RoCE v1} or {@code RoCE v2}
     * @param network interface; empty if none
     */
    record Gid(int index, String value, String type, String network) {
        @Override
        public String toString() {
            return index + " (" + type + (network.isEmpty() ? "" : " on " + network) + ")";
        }
    }

    static List<String> devices(Host host) {
        return host.names(CLASS);
    }

    static List<RdmaPort> all(Host host) {
        List<RdmaPort> ports = new ArrayList<>();
        for (String device : devices(host)) {
            for (String port : host.names(CLASS + "/" + device + "/ports")) {
                ports.add(read(host, device, Integer.parseInt(port)));
            }
        }
        return ports;
    }

    private static RdmaPort read(Host host, String device, int port) {
        String directory = CLASS + "/" + device;
        String at = directory + "/ports/" + port;
        List<Gid> gids = new ArrayList<>();
        for (String index : host.names(at + "/gids")) {
            String value = host.text(at + "/gids/" + index).orElse(ZERO);
            if (!value.equals(ZERO)) {
                gids.add(new Gid(
                        Integer.parseInt(index),
                        value,
                        host.text(at + "/gid_attrs/types/" + index).orElse("type unknown"),
                        host.text(at + "/gid_attrs/ndevs/" + index).orElse("")));
            }
        }
        gids.sort((a, b) -> Integer.compare(a.index, b.index));
        return new RdmaPort(
                device,
                port,
                driver(host, directory),
                afterColon(host.text(at + "/state").orElse("unknown")),
                afterColon(host.text(at + "/phys_state").orElse("unknown")),
                host.text(at + "/link_layer").orElse("unknown"),
                host.text(at + "/rate").orElse("rate unknown"),
                List.copyOf(gids));
    }

    /** Soft-RoCE stands on a network interface ("parent") and has no driver of a device. */
    private static String driver(Host host, String directory) {
        return host.linkName(directory + "/device/driver")
                .or(() -> host.text(directory + "/parent").map(parent -> "software (rxe) on " + parent))
                .orElse("software");
    }

    private static String afterColon(String numbered) {
        return numbered.substring(numbered.indexOf(':') + 1).strip();
    }

    boolean isActive() {
        return state.equals("ACTIVE");
    }

    boolean isEthernet() {
        return linkLayer.equals("Ethernet");
    }

    boolean isSoftware() {
        return driver.startsWith("software");
    }

    List<Gid> gidsOf(InetAddress address) {
        String wanted = asGid(address);
        return gids.stream().filter(gid -> gid.value.equals(wanted)).toList();
    }

    String name() {
        return device + " port " + port;
    }

    /** As the table of a RoCE port writes an address of its interface. */
    static String asGid(InetAddress address) {
        byte[] bytes = new byte[BYTES];
        byte[] own = address.getAddress();
        System.arraycopy(MAPPED, 0, bytes, 0, MAPPED.length);
        System.arraycopy(own, 0, bytes, BYTES - own.length, own.length);
        String hex = HexFormat.of().formatHex(bytes);
        return IntStream.range(0, BYTES / 2)
                .mapToObj(group -> hex.substring(group * 4, group * 4 + 4))
                .collect(Collectors.joining(":"));
    }
}
