package io.tesserafs.node.session;

import io.tesserafs.coherence.lock.HeldLock;
import io.tesserafs.coherence.lock.LockKind;
import io.tesserafs.coherence.lock.LockOwner;
import io.tesserafs.coherence.lock.LockRequest;
import io.tesserafs.coherence.lock.LockResult;
import io.tesserafs.coherence.lock.LockService;
import io.tesserafs.coherence.lock.NodeLocks;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.session.VolumeWire.Op;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The locks of a volume, wherever its owner is, and wherever it moves: what is held is noted, to be said to the next owner, and what waits is asked for
 * again there. Thread-safe.
 *
 * <p>An owner in this process is asked directly; otherwise calls wait on virtual threads, one after the other for each file, so that they take effect in order.
 *
 * <p><b>Whose word counts.</b> A grant counts if it was noted before the notes were read for the next owner: else that one does not know of it, and is asked
 * itself. So answers are believed only from the owner that is the link at that moment, or if no notes were read since the question was sent. To ask twice
 * does no harm: an owner that has granted a lock grants it again.
 */
final class SessionLocks implements LockService {
    private static final Logger LOG = LoggerFactory.getLogger(SessionLocks.class);

    private final NodeSession session;
    private final OwnerCalls calls;

    /** A request that has no final answer yet. Guarded by the locks' monitor, but for what is final. */
    private static final class Waiter {
        final LockRequest request;
        final Waiting mode;
        final CompletableFuture<LockResult> end = new CompletableFuture<>();
        /** A call is under way, or about to be: who sends it sees to the rest. */
        boolean asking;
        /** The owner in this process that has it in its table and says so by a future. */
        @Nullable
        OwnedVolume askedHere;

        boolean cancelled;

        Waiter(LockRequest request, Waiting mode) {
            this.request = request;
            this.mode = mode;
        }
    }

    /** By request. Guarded by this, as are the next two. */
    private final Map<Long, Waiter> waiters = new HashMap<>();
    /** What this node holds, as far as it knows. */
    private final NodeLocks held = new NodeLocks();
    /** How often the notes were read for an owner. */
    private long restores;

    private volatile Consumer<HeldLock> onLost = lock -> {};
    private final FileOrder order = new FileOrder();

    SessionLocks(NodeSession session, OwnerCalls calls) {
        this.session = session;
        this.calls = calls;
    }

    @Override
    public SessionId session() {
        return session.id();
    }

    @Override
    public void onLost(Consumer<HeldLock> listener) {
        onLost = listener;
    }

    /** The owner, if it is in this process and may be asked about the file directly. */
    private @Nullable OwnedVolume here(long inode) {
        OwnedVolume owner = session.ownerHere();
        boolean ready = owner != null && !owner.isClosed() && owner.isOpen() && !order.isBusy(inode);
        return ready ? owner : null;
    }

    private boolean isCurrent(OwnedVolume owner) {
        return session.ownerHere() == owner && !owner.isClosed();
    }

    private LockService table(OwnedVolume owner) {
        return owner.locks().service(session.id());
    }

    private LockResult ask(WireOut request) throws FsException {
        return calls.call(request, (OwnerCalls.Decoder<LockResult>) LockWire::result);
    }

    @Override
    public CompletableFuture<@Nullable HeldLock> getlk(LockRequest request) {
        OwnedVolume owner = here(request.inode());
        if (owner != null) {
            return table(owner).getlk(request);
        }
        return order.run(request.inode(), () -> {
            WireOut out = VolumeWire.request(Op.LOCK_GET);
            LockWire.request(out, request);
            HeldLock[] found = new HeldLock[1];
            calls.call(out, in -> {
                if (in.flag()) {
                    found[0] = LockWire.held(in);
                }
                return true;
            });
            return found[0];
        });
    }

    // ---- locking

    @Override
    public CompletableFuture<LockResult> setlk(long requestId, LockRequest request, Waiting mode) {
        Waiter waiter = new Waiter(request, mode);
        OwnedVolume owner = here(request.inode());
        synchronized (this) {
            if (request.kind() == LockKind.FLOCK) {
                held.convert(request);
            }
            waiter.asking = owner == null;
            waiter.askedHere = owner;
            waiters.put(requestId, waiter); // before the owner is asked: its word may be faster than its answer
        }
        if (owner == null) {
            askInOrder(requestId, waiter);
        } else {
            askHere(owner, requestId, waiter);
        }
        return waiter.end;
    }

    private void askHere(OwnedVolume owner, long requestId, Waiter waiter) {
        var _ = table(owner)
                .setlk(requestId, waiter.request, waiter.mode)
                .whenComplete((result, failure) -> saidHere(owner, requestId, waiter, failure == null ? result : null));
    }

    private void saidHere(OwnedVolume owner, long requestId, Waiter waiter, @Nullable LockResult result) {
        synchronized (this) {
            if (waiters.get(requestId) != waiter || waiter.askedHere != owner) {
                return;
            }
            if (!isCurrent(owner)) {
                waiter.askedHere = null; // the next owner will be asked
                return;
            }
            note(requestId, waiter, result == null ? LockResult.LOST : result);
        }
        waiter.end.complete(result == null ? LockResult.LOST : result);
    }

    /** Asks by a call, until there is an answer that counts. Final, or the request waits at the owner. */
    private void askInOrder(long requestId, Waiter waiter) {
        var _ = order.run(waiter.request.inode(), () -> {
                    LockResult answer = LockResult.LOST;
                    boolean counts = false;
                    while (!counts) {
                        long before;
                        synchronized (this) {
                            if (waiters.get(requestId) != waiter) {
                                return LockResult.QUEUED; // the end was heard of meanwhile
                            }
                            before = restores;
                        }
                        answer = ask(set(requestId, waiter));
                        counts = takeAnswer(requestId, waiter, answer, before);
                    }
                    return answer;
                })
                .whenComplete((answer, lost) -> {
                    if (lost != null) {
                        end(requestId, waiter, LockResult.LOST);
                    } else if (answer != LockResult.QUEUED) {
                        waiter.end.complete(answer);
                    }
                });
    }

    /** False if an owner may have answered that is none any more. */
    private boolean takeAnswer(long requestId, Waiter waiter, LockResult answer, long before) {
        boolean cancelAgain;
        synchronized (this) {
            if (restores != before && waiters.get(requestId) == waiter) {
                return false;
            }
            if (answer != LockResult.QUEUED) {
                if (waiters.get(requestId) == waiter) {
                    note(requestId, waiter, answer);
                }
                return true;
            }
            waiter.asking = false;
            cancelAgain = waiter.cancelled;
        }
        if (cancelAgain) {
            cancelThere(requestId);
        }
        return true;
    }

    private static WireOut set(long requestId, Waiter waiter) {
        WireOut out = VolumeWire.request(Op.LOCK_SET).i64(requestId);
        LockWire.request(out, waiter.request);
        LockWire.waiting(out, waiter.mode);
        return out;
    }

    /** With the monitor. The caller completes the future without it. */
    private void note(long requestId, Waiter waiter, LockResult end) {
        waiters.remove(requestId);
        if (end == LockResult.GRANTED) {
            held.set(waiter.request);
        }
    }

    private void end(long requestId, Waiter waiter, LockResult end) {
        synchronized (this) {
            if (waiters.get(requestId) != waiter) {
                return;
            }
            note(requestId, waiter, end);
        }
        waiter.end.complete(end);
    }

    /** An owner's word on a request that waited. Must not block. */
    void ended(OwnerConnection from, long requestId, LockResult result) {
        Waiter waiter;
        synchronized (this) {
            waiter = waiters.get(requestId);
            if (waiter == null || !session.isLink(from)) {
                return; // the next owner will be asked
            }
            note(requestId, waiter, result);
        }
        waiter.end.complete(result);
    }

    @Override
    public void cancel(long requestId) {
        OwnedVolume owner;
        synchronized (this) {
            Waiter waiter = waiters.get(requestId);
            if (waiter == null) {
                return;
            }
            waiter.cancelled = true;
            owner = waiter.askedHere;
        }
        if (owner != null) {
            table(owner).cancel(requestId);
        } else {
            cancelThere(requestId);
        }
    }

    private void cancelThere(long requestId) {
        Thread.startVirtualThread(
                () -> calls.quietly(VolumeWire.request(Op.LOCK_CANCEL).i64(requestId), "cancel"));
    }

    // ---- unlocking

    @Override
    public CompletableFuture<LockResult> unlock(
            long inode, LockKind kind, long kernelOwner, long firstByte, long lastByte) {
        synchronized (this) {
            held.unlock(inode, kind, new LockOwner(session.id(), kernelOwner), firstByte, lastByte);
        }
        return tell(inode, table -> table.unlock(inode, kind, kernelOwner, firstByte, lastByte), () -> {
            WireOut out = VolumeWire.request(Op.LOCK_UNLOCK).i64(inode);
            LockWire.kind(out, kind);
            return ask(out.i64(kernelOwner).i64(firstByte).i64(lastByte));
        });
    }

    @Override
    public CompletableFuture<LockResult> releaseOwner(long inode, LockKind kind, long kernelOwner) {
        synchronized (this) {
            held.release(inode, kind, new LockOwner(session.id(), kernelOwner));
        }
        return tell(inode, table -> table.releaseOwner(inode, kind, kernelOwner), () -> {
            WireOut out = VolumeWire.request(Op.LOCK_RELEASE).i64(inode);
            LockWire.kind(out, kind);
            return ask(out.i64(kernelOwner));
        });
    }

    private interface Direct {
        CompletableFuture<LockResult> tell(LockService table);
    }

    private CompletableFuture<LockResult> tell(long inode, Direct direct, FileOrder.Call<LockResult> call) {
        OwnedVolume owner = here(inode);
        if (owner != null) {
            CompletableFuture<LockResult> done = direct.tell(table(owner));
            if (isCurrent(owner)) {
                return done;
            }
        }
        return order.run(inode, call).exceptionally(lost -> LockResult.LOST);
    }

    // ---- from owner to owner

    /** A session has ended, and its locks with it. */
    void forget(SessionId ended) {
        List<HeldLock> lost;
        List<Waiter> over = new ArrayList<>();
        synchronized (this) {
            lost = held.endSession(ended);
            lost.forEach(onLost);
            waiters.values().removeIf(waiter -> {
                boolean gone = waiter.request.owner().session().equals(ended);
                if (gone) {
                    over.add(waiter);
                }
                return gone;
            });
        }
        over.forEach(waiter -> waiter.end.complete(LockResult.LOST));
        warnOf(lost, "session " + ended + " is over");
    }

    private static void warnOf(List<HeldLock> lost, String why) {
        if (!lost.isEmpty()) {
            LOG.warn(
                    "{} file locks are lost, as {}; reads and writes of those who held them fail until they let go. The first is {}",
                    lost.size(),
                    why,
                    lost.getFirst());
        }
    }

    /**
     * Tells an owner that may be a new one what is held, before anything else is asked of it, and while it is not the link yet.
     *
     * @param number of a call that was not used yet
     * @return false if the owner does not answer
     */
    boolean restore(OwnerConnection owner, long number, long answeredBelow) {
        List<HeldLock> said;
        synchronized (this) {
            restores++;
            said = held.held(session.id());
        }
        OwnedVolume here = owner.here();
        List<LockResult> answers =
                here != null ? restoreHere(here, said) : LockRestoration.ask(owner, number, answeredBelow, said);
        if (answers == null) {
            return false;
        }
        List<HeldLock> lost = new ArrayList<>();
        synchronized (this) {
            for (int i = 0; i < said.size(); i++) {
                if (answers.get(i) != LockResult.GRANTED && held.take(said.get(i))) {
                    lost.add(said.get(i));
                    onLost.accept(said.get(i));
                }
            }
        }
        warnOf(lost, owner + " refuses them");
        return true;
    }

    private List<LockResult> restoreHere(OwnedVolume owner, List<HeldLock> said) {
        var _ = table(owner); // so that it knows the session
        List<LockResult> answers =
                said.stream().map(lock -> owner.locks().restore(lock).join()).toList();
        owner.restored(session.id());
        return answers;
    }

    /** The link is a new one: the word on what waits may have been lost with the old, and a new owner does not know of it. */
    void askAgain() {
        Map<Long, Waiter> again = new HashMap<>();
        synchronized (this) {
            OwnedVolume here = session.ownerHere();
            waiters.forEach((requestId, waiter) -> {
                boolean known = waiter.asking || (waiter.askedHere != null && waiter.askedHere == here);
                if (!known && waiter.request.owner().session().equals(session.id())) {
                    waiter.asking = true;
                    waiter.askedHere = null;
                    again.put(requestId, waiter);
                }
            });
        }
        again.forEach(this::askInOrder);
    }

    void close() {
        order.close();
    }
}
