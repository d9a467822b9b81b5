package io.tesserafs.coherence.membership;

import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.api.transaction.CuratorOp;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.data.Stat;

/**
 * Gives out the numbers 1..65535 in order, each once for ever: a counter in ZooKeeper that is raised in the same transaction which
 * uses the number. Thread-safe; calls block.
 */
public final class NumberAllocator {
    private final CuratorFramework curator;
    private final String counter;

    public NumberAllocator(CuratorFramework curator, String counter) {
        this.curator = curator;
        this.counter = counter;
    }

    /** Makes the counter, and the directories that are missing. */
    public void ensureParents(String... directories) throws Exception {
        create(counter, Znodes.encodeNumber(0));
        for (String directory : directories) {
            create(directory, new byte[0]);
        }
    }

    /** The next free number; {@code stat} is for {@link #take}. */
    public int next(Stat stat) throws Exception {
        int last = Znodes.decodeNumber(
                counter, curator.getData().storingStatIn(stat).forPath(counter));
        if (last >= Znodes.MAX_NUMBER) {
            throw new MembershipException(
                    MembershipException.Reason.EXHAUSTED,
                    "All " + Znodes.MAX_NUMBER + " numbers of " + counter + " are used");
        }
        return last + 1;
    }

    /** To go in the transaction that uses {@code number}; fails it if the number was taken meanwhile. */
    public CuratorOp take(int number, Stat stat) throws Exception {
        return curator.transactionOp()
                .setData()
                .withVersion(stat.getVersion())
                .forPath(counter, Znodes.encodeNumber(number));
    }

    private void create(String path, byte[] content) throws Exception {
        if (curator.checkExists().forPath(path) == null) {
            try {
                curator.create().creatingParentsIfNeeded().forPath(path, content);
            } catch (KeeperException.NodeExistsException raced) {
                return; // another node made it
            }
        }
    }
}
