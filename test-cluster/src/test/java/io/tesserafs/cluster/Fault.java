package io.tesserafs.cluster;

import java.util.List;
import java.util.Random;

/** What can happen to a cluster whose nodes have a network each. All of it ends with {@link NetNodes#heal}. */
enum Fault {
    KILL,
    PAUSE,
    CABLE,
    MUTE,
    DEAF,
    ONE_WAY,
    SLOW,
    ZOOKEEPER_KILL,
    ZOOKEEPER_CABLE;

    private static final int SLOW_KILOBIT_PER_SECOND = 4000;

    /** Makes it happen to one node, by chance; returns what happened, in words. */
    String strike(NetNodes cluster, Random random) {
        List<NetNode> nodes = cluster.nodes();
        NetNode victim = nodes.get(random.nextInt(nodes.size()));
        NetNode other = nodes.get((victim.number() + random.nextInt(nodes.size() - 1)) % nodes.size());
        switch (this) {
            case KILL -> victim.kill();
            case PAUSE -> victim.pause();
            case CABLE -> victim.link().down();
            case MUTE -> victim.link().mute();
            case DEAF -> victim.link().deafen();
            case ONE_WAY -> victim.link().loseTo(other.link());
            case SLOW -> victim.link().slow(SLOW_KILOBIT_PER_SECOND);
            case ZOOKEEPER_KILL -> cluster.stopZooKeeper();
            case ZOOKEEPER_CABLE -> cluster.zooKeeperLink().down();
        }
        return switch (this) {
            case ZOOKEEPER_KILL, ZOOKEEPER_CABLE -> toString();
            case ONE_WAY -> this + " from node " + victim.number() + " to node " + other.number();
            default -> this + " of node " + victim.number();
        };
    }
}
