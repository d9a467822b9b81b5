package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.tcp.TcpBricks;
import io.tesserafs.fabric.verbs.ControlCodec.Outcome;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/** The handles of one MAP, in its order, which get their keys together where that helps: see {@link KeyWindow}. Thread-safe. */
final class Neighbours {
    private final VerbsSession session;
    private final KeyWindow window;

    /** Null: dead. */
    private final AtomicReferenceArray<@Nullable VerbsHandle> handles;

    /** @param prepared so many of the first have keys */
    Neighbours(VerbsSession session, int count, int prepared) {
        this.session = session;
        this.window = new KeyWindow(count, prepared);
        this.handles = new AtomicReferenceArray<>(count);
    }

    void add(int at, VerbsHandle handle) {
        handles.set(at, handle);
    }

    void remove(int at) {
        handles.set(at, null);
    }

    /**
     * Asks the target for the key of one handle, and maybe of some that follow. If somebody else is asking for it already, waits until that is
     * through; the caller looks what came of it, and may have to call again.
     */
    void prepare(int at, VerbsHandle handle, InitiatorQueuePair qp) throws IOException {
        int end = window.claim(at);
        if (end == at) {
            return;
        }
        try {
            List<VerbsHandle> wanted = unprepared(handle, at + 1, end, qp);
            List<HandleKey> keys =
                    wanted.stream().map(one -> TcpBricks.key(one.beneath())).toList();
            List<Outcome> outcomes = session.prepare(qp, keys);
            handle.prepared(qp, outcomes.getFirst().region());
            for (int i = 1; i < outcomes.size(); i++) {
                if (outcomes.get(i).status() == ControlCodec.DONE) { // else whoever uses it hears why
                    wanted.get(i).prepared(qp, outcomes.get(i).region());
                }
            }
        } finally {
            window.done(at, end);
        }
    }

    private List<VerbsHandle> unprepared(VerbsHandle first, int from, int end, InitiatorQueuePair qp) {
        List<VerbsHandle> all = new ArrayList<>(end - from + 1);
        all.add(first);
        for (int i = from; i < end; i++) {
            VerbsHandle one = handles.get(i);
            if (one != null && one.alive() && !one.isPrepared(qp)) {
                all.add(one);
            }
        }
        return all;
    }
}
