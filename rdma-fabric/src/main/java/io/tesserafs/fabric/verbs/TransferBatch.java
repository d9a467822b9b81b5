package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.HandleKey;
import io.tesserafs.fabric.brick.Transfer;
import io.tesserafs.fabric.tcp.RemoteKey;
import io.tesserafs.fabric.tcp.TcpBricks;
import io.tesserafs.fabric.verbs.ControlCodec.Outcome;
import java.io.IOException;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Transfers of one client that are made together, in rows of requests on its queue pair. What cannot be, or fails with its row, is made by
 * itself after that, as often as it takes. Used by one thread.
 */
final class TransferBatch {
    private static final Logger LOG = LoggerFactory.getLogger(TransferBatch.class);

    private final OneSided kind;
    private final VerbsSession session;
    private final InitiatorQueuePair qp;

    /** Their handles are busy. */
    private final List<Step> entered = new ArrayList<>();

    /** To be made one by one. */
    private final List<Transfer> left = new ArrayList<>();

    /** A transfer whose memory the device knows. */
    private record Step(VerbsHandle handle, Transfer transfer, List<Gather.Element> elements) {}

    private TransferBatch(OneSided kind, VerbsSession session, InitiatorQueuePair qp) {
        this.kind = kind;
        this.session = session;
        this.qp = qp;
    }

    /**
     * Returns when all are made.
     *
     * @param transfers through handles of one client, in bounds, and such as their handles permit
     * @throws BrickException of the first that failed when it was made by itself; the others were tried as well
     */
    static void run(OneSided kind, VerbsSession session, List<Transfer> transfers) throws BrickException {
        // A handle is busy, and its key relied on, for as long as its own few take, however many there are.
        List<Transfer> left = new ArrayList<>(0);
        for (int from = 0; from < transfers.size(); from += Rows.ROW) {
            List<Transfer> some = transfers.subList(from, Math.min(from + Rows.ROW, transfers.size()));
            InitiatorQueuePair qp = session.live();
            left.addAll(qp == null ? some : new TransferBatch(kind, session, qp).inRows(some));
        }
        oneByOne(kind, left);
    }

    /** Returns those that are not made. */
    private List<Transfer> inRows(List<Transfer> transfers) {
        try {
            for (Transfer transfer : transfers) {
                enter(transfer);
            }
            askForKeys();
            List<Step> posted = new ArrayList<>(entered.size());
            List<Gather> requests = new ArrayList<>(entered.size());
            for (Step step : entered) {
                RemoteKey key = step.handle.key(qp);
                if (key == null) {
                    left.add(step.transfer);
                } else {
                    long remote = key.address() + step.transfer.offset();
                    Gather.cut(requests, remote, key.key(), step.elements, qp.maxElements(kind));
                    posted.add(step);
                }
            }
            gather(requests);
            for (Step step : posted) {
                step.handle.moved(kind, qp, step.transfer.offset(), step.transfer.bytes());
            }
            return left;
        } catch (IOException | IllegalArgumentException e) {
            LOG.debug("{}: {} transfers are made one by one: {}", qp, transfers.size(), e.getMessage());
            return transfers;
        } finally {
            entered.forEach(step -> step.handle.exit());
            Reference.reachabilityFence(entered); // the device has addresses only
        }
    }

    /** If it fails, nothing of it lands any more: while the handles are busy, so that none of them can end before. */
    private void gather(List<Gather> requests) throws QueuePairException {
        if (requests.isEmpty()) {
            return;
        }
        try {
            qp.gather(kind, requests);
        } catch (QueuePairException e) {
            session.replace();
            throw e;
        }
    }

    private void enter(Transfer transfer) {
        VerbsHandle handle = (VerbsHandle) transfer.handle();
        List<Gather.Element> elements = qp.elements(transfer.parts());
        if (elements == null || !handle.enter()) {
            left.add(transfer);
        } else if (elements.isEmpty()) {
            handle.exit();
        } else {
            entered.add(new Step(handle, transfer, elements));
        }
    }

    /** For all handles that have none yet. Unlike their neighbours they are sure to be used, so nothing is asked for ahead. */
    private void askForKeys() throws IOException {
        Set<VerbsHandle> distinct = new LinkedHashSet<>();
        for (Step step : entered) {
            if (!step.handle.isPrepared(qp)) {
                distinct.add(step.handle);
            }
        }
        List<VerbsHandle> wanted = List.copyOf(distinct);
        for (int from = 0; from < wanted.size(); from += TcpBricks.MAX_KEYS) {
            List<VerbsHandle> some = wanted.subList(from, Math.min(from + TcpBricks.MAX_KEYS, wanted.size()));
            List<HandleKey> keys =
                    some.stream().map(one -> TcpBricks.key(one.beneath())).toList();
            List<Outcome> outcomes = session.prepare(qp, keys);
            for (int i = 0; i < some.size(); i++) {
                if (outcomes.get(i).status() == ControlCodec.DONE) { // else its transfer, by itself, hears why
                    some.get(i).prepared(qp, outcomes.get(i).region());
                }
            }
        }
    }

    /** All, also if one fails. */
    private static void oneByOne(OneSided kind, List<Transfer> transfers) throws BrickException {
        BrickException first = null;
        for (Transfer transfer : transfers) {
            try {
                if (kind == OneSided.READ) {
                    transfer.read();
                } else {
                    transfer.write();
                }
            } catch (BrickException e) {
                if (first == null) {
                    first = e;
                } else {
                    first.addSuppressed(e);
                }
            }
        }
        if (first != null) {
            throw first;
        }
    }
}
