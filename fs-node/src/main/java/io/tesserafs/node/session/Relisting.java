package io.tesserafs.node.session;

import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.VolumeService.EntrySink;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Entries of a directory for a caller that takes each once, from owners of which one may come to its end on the way. What such an owner said was not confirmed:
 * it may have been of changes that went with it. So the next one has to say the same again, and only what follows goes to the caller. For one thread.
 */
final class Relisting implements EntrySink {
    private final EntrySink sink;
    private final List<Listing.Entry> offered = new ArrayList<>();
    /** Entries that the owner of now has said. */
    private int said;
    /** The caller wants no more than what was offered. */
    private boolean full;

    private boolean differs;

    Relisting(EntrySink sink) {
        this.sink = sink;
    }

    /** Another owner says everything from the beginning. */
    void again() {
        said = 0;
        differs = false;
    }

    @Override
    public boolean entry(byte[] name, long nextCookie, InodeAttr attr) {
        Listing.Entry entry = new Listing.Entry(name, nextCookie, attr);
        if (said == offered.size()) {
            offered.add(entry);
            said++;
            full = !sink.entry(name, nextCookie, attr);
            return !full;
        }
        differs = !isSame(offered.get(said), entry);
        said++;
        return !differs && (said < offered.size() || !full);
    }

    private static boolean isSame(Listing.Entry a, Listing.Entry b) {
        return a.next() == b.next()
                && Arrays.equals(a.name(), b.name())
                && a.attr().equals(b.attr());
    }

    /**
     * The owner of now has said what it knows, and stands by it.
     *
     * @throws FsException EIO: the caller has been told something else
     */
    void done() throws FsException {
        if (differs || said < offered.size()) {
            throw new FsException(Errno.EIO, "the directory was listed by an owner that came to its end");
        }
    }
}
