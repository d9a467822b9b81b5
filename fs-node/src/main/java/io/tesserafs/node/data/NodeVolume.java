package io.tesserafs.node.data;

import io.tesserafs.coherence.token.TokenClient;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fuse.Request;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.VolumeService;
import io.tesserafs.node.namespace.VolumeService.Unlinked;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What all request handlers of one mounted volume share. Thread-safe. */
final class NodeVolume {
    private static final Logger LOG = LoggerFactory.getLogger(NodeVolume.class);

    /** Part of a handler that may end with an errno. */
    interface Work {
        void run() throws FsException;
    }

    final VolumeService service;
    final DataOptions options;
    final DataCounters counters = new DataCounters();
    final KernelReferences references = new KernelReferences();
    final HandleTable handles = new HandleTable();
    final BlockMap blocks;
    final FileTable files;
    final FileCommits commits;
    /** Flushing waits for a device here: not on a request's reader thread. */
    final boolean flushBlocks;

    private final Set<Long> orphans = ConcurrentHashMap.newKeySet();
    /** Detached requests wait here. As many threads as detached requests, which the mount bounds. */
    private final ExecutorService waiting = Executors.newCachedThreadPool(
            Thread.ofPlatform().name("fs-waiting-", 0).daemon(true).factory());

    NodeVolume(VolumeService service, TokenClient tokens, BrickClient brick, DataOptions options) {
        this.service = service;
        this.options = options;
        this.blocks = new BlockMap(brick);
        this.files = new FileTable(service, tokens, blocks);
        this.commits = new FileCommits(service, blocks, counters);
        this.flushBlocks = brick.info().blockingFlush();
    }

    void serve(Request rq, Work work) {
        try {
            work.run();
        } catch (FsException e) {
            rq.replyError(e.errno());
        }
    }

    /** Goes on with the request elsewhere: {@code work} may wait. */
    void serveElsewhere(Request rq, Work work) {
        rq.detach();
        waiting.execute(() -> {
            try {
                serve(rq, work);
            } catch (RuntimeException | Error e) {
                LOG.error("request {} failed", rq.unique(), e);
                rq.replyError(io.tesserafs.fuse.Errno.EIO);
            }
        });
    }

    /** Here if flushing is free, elsewhere if it waits for a device. */
    void serveFlushing(Request rq, Work work) {
        if (flushBlocks) {
            serveElsewhere(rq, work);
        } else {
            serve(rq, work);
        }
    }

    /**
     * The owner's attributes with what this node knows better.
     *
     * @param stamp {@link FileTable#removals} from before the owner was asked
     */
    InodeAttr current(InodeAttr attr, long stamp) throws FsException {
        InodeAttr asked = attr;
        long before = stamp;
        while (asked.isRegular()) {
            FileState file = files.find(asked.ino());
            if (file != null) {
                return file.overlay(asked);
            }
            long now = files.removals();
            if (now == before) {
                return asked;
            }
            before = now;
            asked = service.getattr(asked.ino());
        }
        return asked;
    }

    /** Answers with an entry and counts the kernel's new reference. */
    void replyEntry(Request rq, InodeAttr attr) {
        references.add(attr.ino());
        if (!rq.replyEntry(attr, options.entryTtlNs(), options.attrTtlNs())) {
            forget(attr.ino(), 1);
        }
    }

    void forget(long ino, long count) {
        if (references.remove(ino, count)) {
            reapIfUnused(ino);
        }
    }

    void unlinked(@Nullable Unlinked gone) {
        if (gone != null && gone.nlink() == 0) {
            orphan(gone.ino());
            reapIfUnused(gone.ino());
        }
    }

    void orphan(long ino) {
        orphans.add(ino);
    }

    void linkedAgain(long ino) {
        orphans.remove(ino);
    }

    int orphans() {
        return orphans.size();
    }

    /** Ends an inode without names once neither the kernel nor a handle refers to it. */
    void reapIfUnused(long ino) {
        if (!orphans.contains(ino) || references.has(ino)) {
            return;
        }
        FileState file = files.find(ino);
        if (file != null && !files.discard(ino)) {
            return; // still open: its last release comes here again
        }
        if (orphans.remove(ino)) {
            service.unreferenced(ino);
        }
    }

    void release(FileState file) {
        files.release(file);
        reapIfUnused(file.ino);
    }

    /** After the mount is gone and everything was committed: no kernel refers to an orphan any more. */
    void shutdown() {
        waiting.shutdown();
        for (long ino : Set.copyOf(orphans)) {
            if (files.find(ino) == null || files.discard(ino)) {
                orphans.remove(ino);
                service.unreferenced(ino);
            }
        }
    }
}
