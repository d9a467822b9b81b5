package io.tesserafs.node.daemon;

import io.tesserafs.coherence.membership.ClusterClient;
import io.tesserafs.coherence.volume.VolumeInfo;
import io.tesserafs.coherence.volume.VolumeRegistry;
import io.tesserafs.coherence.volume.ZooKeeperManifestStore;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.PoolInspector;
import io.tesserafs.node.config.ConfigException;
import io.tesserafs.node.config.NodeConfig;
import io.tesserafs.node.config.NodeConfigReader;
import io.tesserafs.node.namespace.CheckReport;
import io.tesserafs.node.namespace.LogText;
import io.tesserafs.node.namespace.OfflineVolume;
import io.tesserafs.node.namespace.VolumeConfig;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.logging.Level;
import java.util.logging.Logger;

/** A node whose daemon does not run, opened to look inside: its pool read-only, and its coordination service to find the logs. */
public final class OfflineNode implements AutoCloseable {
    private final Resources resources = new Resources();
    private final ClusterClient cluster;
    private final PoolInspector pool;

    private OfflineNode(NodeConfig config) throws IOException, StartException {
        boolean opened = false;
        try {
            resources.add("lock", NodeDaemon.lock(new NodeLayout(config.stateDir())));
            pool = resources.add("pool", PoolInspector.open(config.pool().path()));
            cluster = resources.add("cluster client", Coordination.connectOnly(config, resources, Optional.empty()));
            opened = true;
        } finally {
            if (!opened) {
                resources.close();
            }
        }
    }

    /** For command-line tools: whatever the libraries would log is not for their output. */
    public static OfflineNode open(NodeLayout layout) throws IOException, StartException, ConfigException {
        Logger.getLogger("").setLevel(Level.SEVERE);
        return new OfflineNode(NodeConfigReader.read(layout.config()));
    }

    /** Same form as the daemon's answer. */
    public Object fsck(String volume) throws IOException, StartException {
        return answer(offline(volume).check());
    }

    static Map<String, Object> answer(CheckReport report) {
        return Map.of(
                "volume", report.volume(),
                "summary", report.summary(),
                "inodes", report.inodes(),
                "directories", report.directories(),
                "extents", report.extents(),
                "blocks", report.blocks(),
                "problems", report.problems(),
                "notes", report.notes());
    }

    public List<LogText.Line> logRecords(String volume, long from, int max) throws IOException, StartException {
        return offline(volume).log(from, max);
    }

    private OfflineVolume offline(String name) throws IOException, StartException {
        VolumeInfo info = new VolumeRegistry(cluster)
                .find(name)
                .orElseThrow(() -> new StartException("there is no volume " + name));
        VolumeConfig config =
                new VolumeConfig(info.name(), info.number(), info.uuid(), VolumeConfig.DEFAULT_MAX_INODES);
        byte[] manifest =
                new ZooKeeperManifestStore(cluster, info.number()).read().bytes();
        return new OfflineVolume(config, manifest, pool, new BrickId(pool.info().brick()));
    }

    @Override
    public void close() {
        resources.close();
    }
}
