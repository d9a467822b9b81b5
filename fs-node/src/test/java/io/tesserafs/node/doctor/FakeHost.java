package io.tesserafs.node.doctor;

import io.tesserafs.node.host.Host;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** A tree like /proc, /sys and /dev of some host. */
final class FakeHost {
    private static final String IB = "/sys/class/infiniband/";

    final Host host;

    FakeHost(Path root) {
        host = new Host(root);
    }

    FakeHost file(String path, String text) {
        try {
            Path file = host.path(path);
            Files.createDirectories(file.getParent());
            Files.writeString(file, text + "\n");
            return this;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    FakeHost link(String path, String target) {
        try {
            Path file = host.path(path);
            Files.createDirectories(file.getParent());
            Files.createSymbolicLink(file, Path.of(target));
            return this;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    FakeHost user(int uid) {
        return file("/proc/self/status", "Name:\tjava\nUid:\t0\t" + uid + "\t0\t0\nCapEff:\t0000000000000000");
    }

    /** The first port of a device, as mlx5 shows it, with its connection manager. */
    FakeHost device(String name, String state, String physical, String linkLayer) {
        String port = IB + name + "/ports/1/";
        return link(IB + name + "/device/driver", "../../../bus/pci/drivers/mlx5_core")
                .file(port + "state", state)
                .file(port + "phys_state", physical)
                .file(port + "link_layer", linkLayer)
                .file(port + "rate", "100 Gb/sec (4X EDR)")
                .file("/dev/infiniband/rdma_cm", "")
                .gid(name, 0, "0000:0000:0000:0000:0000:0000:0000:0000", "IB/RoCE v1", "");
    }

    FakeHost gid(String device, int index, String value, String type, String network) {
        String port = IB + device + "/ports/1/";
        return file(port + "gids/" + index, value)
                .file(port + "gid_attrs/types/" + index, type)
                .file(port + "gid_attrs/ndevs/" + index, network);
    }

    static List<Finding> findings(Check check) {
        Report report = new Report(check.part(), null);
        try {
            check.examine(report);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return report.findings();
    }

    /** The only finding of that name. */
    static Finding finding(Check check, String name) {
        List<Finding> found =
                findings(check).stream().filter(f -> f.check().equals(name)).toList();
        if (found.size() != 1) {
            throw new AssertionError("findings of " + name + ": " + found);
        }
        return found.getFirst();
    }
}
