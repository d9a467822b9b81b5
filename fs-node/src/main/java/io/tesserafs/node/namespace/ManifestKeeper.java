package io.tesserafs.node.namespace;

import io.tesserafs.coherence.volume.ManifestStore;
import io.tesserafs.coherence.volume.StaleEpochException;
import java.io.IOException;
import java.util.Arrays;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * This owner's view of the manifest. Changes come one at a time; thread-safe. A change whose outcome is unknown (ZooKeeper went away in the middle) is settled by
 * reading before the next one; until then nothing that it names may be freed.
 */
final class ManifestKeeper {
    private final ReentrantLock changing = new ReentrantLock();
    private final ManifestStore store;
    private volatile Manifest current;
    private int version;
    /** Written, but not known to have arrived. */
    private @Nullable Manifest uncertain;

    ManifestKeeper(ManifestStore store, Manifest current, int version) {
        this.store = store;
        this.current = current;
        this.version = version;
    }

    Manifest current() {
        return current;
    }

    /**
     * Makes {@code edit} of the manifest the manifest.
     *
     * @throws StaleEpochException a newer owner exists
     * @throws IOException not known whether it happened; the next change finds out
     */
    void change(UnaryOperator<Manifest> edit) throws IOException, StaleEpochException {
        changing.lock();
        try {
            settle();
            Manifest next = edit.apply(current);
            uncertain = next;
            version = store.write(next.encode(), version, next.epoch());
            uncertain = null;
            current = next;
        } finally {
            changing.unlock();
        }
    }

    private void settle() throws IOException, StaleEpochException {
        Manifest attempt = uncertain;
        if (attempt != null) {
            ManifestStore.Versioned seen = store.read();
            if (seen.version() != version) {
                if (!Arrays.equals(seen.bytes(), attempt.encode())) {
                    throw new StaleEpochException("the manifest was changed by another owner");
                }
                version = seen.version();
                current = attempt;
            }
            uncertain = null;
        }
    }
}
