package io.tesserafs.node.doctor;

import io.tesserafs.node.config.NodeConfig;
import io.tesserafs.node.daemon.DaemonProcess;
import io.tesserafs.node.daemon.NodeLayout;
import java.io.IOException;
import java.util.OptionalLong;

/**
 * A node that is to run, or runs, on this host.
 *
 * @param pid of its daemon, if that runs
 */
public record Subject(NodeConfig config, OptionalLong pid) {
    public static Subject of(NodeConfig config) throws IOException {
        return new Subject(
                config,
                DaemonProcess.find(new NodeLayout(config.stateDir()).pidFile())
                        .map(daemon -> OptionalLong.of(daemon.pid()))
                        .orElse(OptionalLong.empty()));
    }

    int node() {
        return config.nodeId();
    }

    boolean runs() {
        return pid.isPresent();
    }

    boolean wantsRdma() {
        return config.fabric().rdma().isPresent();
    }

    /** Whether the cluster has its own ZooKeeper servers, so that nodes may be on other hosts. */
    boolean hasEnsemble() {
        return config.coordination().connect().isPresent();
    }
}
