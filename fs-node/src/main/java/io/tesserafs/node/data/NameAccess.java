package io.tesserafs.node.data;

import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.coherence.token.Resource;
import io.tesserafs.coherence.token.TokenClient;
import io.tesserafs.fuse.Request;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.VolumeService;
import java.util.Arrays;
import java.util.concurrent.ConcurrentHashMap;

/**
 * What stands between a request and the names of directories: their tokens, SHARED for what the kernel may remember, EXCLUSIVE for changes.
 * While this node is {@link Company alone} with the volume, nothing. Thread-safe.
 */
final class NameAccess {
    /** Work on names; {@code alone} says whether what is answered may be cached without tokens. */
    interface Work {
        void run(boolean alone) throws FsException;
    }

    /** Work that asks nobody; false if it found that it would have to, and nothing was done. */
    interface KnownWork {
        boolean run();
    }

    private final NodeVolume volume;
    private final TokenClient tokens;
    private final Company company = new Company();
    /** Of directories the kernel refers to. */
    private final ConcurrentHashMap<Long, FileTokens> directories = new ConcurrentHashMap<>();

    NameAccess(NodeVolume volume, TokenClient tokens) {
        this.volume = volume;
        this.tokens = tokens;
    }

    Company company() {
        return company;
    }

    /** Serves a request under the names of one directory. */
    void serve(Request rq, long dir, Mode mode, Work work) {
        serve(rq, dir, dir, mode, work);
    }

    /** Serves a request under the names of two directories, which may be the same. */
    void serve(Request rq, long dir, long otherDir, Mode mode, Work work) {
        boolean mayWait = volume.access.mayWait();
        if (!mayWait) {
            long stamp = company.enterAlone();
            if (stamp != Company.REFUSED) {
                try {
                    volume.serveHere(rq, () -> work.run(true));
                } finally {
                    company.exitAlone(stamp);
                }
                return;
            }
            if (serveNow(rq, dir, otherDir, mode, work, true)) {
                return;
            }
        } else if (serveCalling(rq, dir, otherDir, mode, work)) {
            return;
        }
        volume.serveElsewhere(rq, () -> {
            long stamp = company.enterAlone();
            if (stamp != Company.REFUSED) {
                try {
                    work.run(true);
                } finally {
                    company.exitAlone(stamp);
                }
            } else {
                serveLater(dir, otherDir, mode, work);
            }
        });
    }

    /** Serves a request at once if the names of the directory are at hand, and what is known of them suffices. */
    boolean serveKnown(long dir, KnownWork work) {
        FileTokens names = directories.get(dir);
        int ticket = names == null ? FileTokens.REFUSED : names.tryEnter(0, FileTokens.TO_END, Mode.SHARED);
        if (names == null || ticket == FileTokens.REFUSED) {
            return false;
        }
        try {
            return work.run();
        } finally {
            names.exit(ticket);
        }
    }

    /** On this thread, which then waits for nothing but the owner's answer; if no other does that already. */
    private boolean serveCalling(Request rq, long dir, long otherDir, Mode mode, Work work) {
        if (!volume.access.tryEnterFar()) {
            return false;
        }
        try {
            return serveNow(rq, dir, otherDir, mode, work, false);
        } finally {
            volume.access.exitFar();
        }
    }

    /** @param ask for tokens that are not here */
    private boolean serveNow(Request rq, long dir, long otherDir, Mode mode, Work work, boolean ask) {
        FileTokens first = directory(dir);
        int ticket = enterNow(first, mode, ask);
        if (ticket == FileTokens.REFUSED) {
            return false;
        }
        try {
            if (dir == otherDir) {
                volume.serveHere(rq, () -> work.run(false));
                return true;
            }
            FileTokens second = directory(otherDir);
            int other = enterNow(second, mode, ask);
            if (other == FileTokens.REFUSED) {
                return false;
            }
            try {
                volume.serveHere(rq, () -> work.run(false));
                return true;
            } finally {
                second.exit(other);
            }
        } finally {
            first.exit(ticket);
        }
    }

    private static int enterNow(FileTokens names, Mode mode, boolean ask) {
        int ticket = names.tryEnter(0, FileTokens.TO_END, mode);
        return ticket != FileTokens.REFUSED || !ask ? ticket : names.enterNow(0, FileTokens.TO_END, mode);
    }

    private void serveLater(long dir, long otherDir, Mode mode, Work work) throws FsException {
        long[] order = {dir, otherDir};
        Arrays.sort(order);
        FileTokens first = directory(order[0]);
        int ticket = FileAccess.enter(first, 0, FileTokens.TO_END, mode);
        try {
            if (dir == otherDir) {
                work.run(false);
                return;
            }
            FileTokens second = directory(order[1]);
            int other = FileAccess.enter(second, 0, FileTokens.TO_END, mode);
            try {
                work.run(false);
            } finally {
                second.exit(other);
            }
        } finally {
            first.exit(ticket);
        }
    }

    private FileTokens directory(long ino) {
        FileTokens known = directories.get(ino);
        if (known != null) {
            return known;
        }
        FileTokens opened = tokens.open(Resource.entries(ino));
        FileTokens raced = directories.putIfAbsent(ino, opened);
        if (raced != null) {
            opened.close();
            return raced;
        }
        if (ino != VolumeService.ROOT && !volume.references.has(ino)) {
            forget(ino); // forgotten meanwhile; the caller's entry still counts
        }
        return opened;
    }

    /** The kernel has no reference to the inode any more. */
    void forget(long ino) {
        FileTokens known = directories.remove(ino);
        if (known != null) {
            known.close();
        }
    }

    /** The tokens that guard an inode's attributes: those of its names if it is a directory. To be closed. */
    FileTokens attributesOf(InodeAttr attr) {
        return attributesOf(attr.ino(), attr.isDirectory());
    }

    FileTokens attributesOf(long ino) {
        return attributesOf(ino, ino == VolumeService.ROOT || volume.references.isDirectory(ino));
    }

    private FileTokens attributesOf(long ino, boolean directory) {
        return tokens.open(directory ? Resource.entries(ino) : Resource.attributes(ino));
    }

    void close() {
        for (Long ino : directories.keySet()) {
            forget(ino);
        }
    }
}
