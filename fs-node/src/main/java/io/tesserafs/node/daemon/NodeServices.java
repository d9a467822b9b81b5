package io.tesserafs.node.daemon;

import io.tesserafs.node.config.NodeConfig;
import io.tesserafs.node.metrics.NodeMetrics;
import java.io.IOException;

/** What a daemon runs, without its outer shell (lock, pid file, admin socket): pool and brick, coordination, volumes, mounts. */
final class NodeServices implements AutoCloseable {
    private final Resources resources = new Resources();
    private final NodeConfig config;

    NodeServices(NodeConfig config, NodeMetrics metrics) {
        this.config = config;
    }

    /** Not to be repeated. What it took before it failed, {@link #close} releases. */
    void start(Coordination.FailureListener onFailure) throws IOException, StartException {
        ExportedBrick brick = resources.add("brick", ExportedBrick.open(config.pool()));
        Coordination coordination =
                resources.add("coordination", Coordination.start(config, brick.cluster(), onFailure));
        brick.export(coordination);
    }

    @Override
    public void close() {
        resources.close();
    }
}
