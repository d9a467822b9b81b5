package io.tesserafs.coherence.lock;

import io.tesserafs.coherence.lock.FileLocks.Waiter;
import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * All file locks of a volume, at its owner. A pure state machine: no I/O, no clock, one thread at a time. What a call sets free is given to
 * those who wait before the call returns, through {@link Output}.
 *
 * <p>Invariants: no byte is locked by two owners unless all of them lock it for READ; a request waits only while it must, which is
 * <ul>
 *   <li>while another owner holds a conflicting lock, or
 *   <li>while an earlier request that conflicts with it waits, <em>if its own owner holds no lock of this kind in the volume</em>. So readers that
 *       come and go cannot starve a writer. Owners who hold something are let past, since to wait behind a waiter could close a circle in
 *       which nobody holds what another wants. Requests that are not to wait at all are refused only for locks that are held.
 * </ul>
 *
 * <p><b>Deadlock.</b> A POSIX request that would wait for an owner who, directly or over others and over any number of files, waits for it is
 * refused. Owners count as one even if they have several threads, as on Linux. flock is not checked, nor is a request that asks not to be.
 *
 * <p><b>flock</b> changes its mode as Linux does: if others are in the way, what was held is given up first. So of two that hold it shared and want it
 * exclusive both get it in turn; and a change that fails, fails with nothing held.
 */
public final class LockTable {
    /** Ends of requests that waited; called within the table's own calls, which it must not call back. */
    @FunctionalInterface
    public interface Output {
        /** {@code result} is not QUEUED. */
        void finished(SessionId session, long requestId, LockResult result);
    }

    private record Party(LockKind kind, LockOwner owner) {}

    private record WaiterId(SessionId session, long requestId) {}

    private final LockLimits limits;
    private final Output output;
    private final Map<FileLocks.Key, FileLocks> files = new HashMap<>();
    /** In how many files each party holds something. */
    private final Map<Party, Integer> filesHeld = new HashMap<>();

    private final Map<Party, List<Waiter>> waitsOf = new HashMap<>();
    private final Map<WaiterId, Waiter> waiters = new HashMap<>();
    /** Files in which a waiter may be served now. */
    private final LinkedHashSet<FileLocks> unsettled = new LinkedHashSet<>();
    /** Files in which an owner that waits elsewhere was granted something: who waits for it may be in a circle since. */
    private final LinkedHashSet<FileLocks> suspects = new LinkedHashSet<>();

    private int ranges;

    public LockTable(LockLimits limits, Output output) {
        this.limits = limits;
        this.output = output;
    }

    /** The conflicting lock that begins first in the file, or null if the request would be granted. */
    public @Nullable HeldLock get(LockRequest request) {
        FileLocks file = files.get(keyOf(request));
        return file == null ? null : file.firstConflict(request);
    }

    /** Locks now or not at all: GRANTED, CONFLICT or NO_LOCKS. */
    public LockResult set(LockRequest request) {
        if (isHeldAlready(request)) {
            return LockResult.GRANTED;
        }
        FileLocks file = file(keyOf(request));
        LockResult result = file.conflicts(request) ? LockResult.CONFLICT : acquire(file, request);
        settle(file);
        return result;
    }

    /**
     * Locks now, or waits: GRANTED, QUEUED, DEADLOCK or NO_LOCKS. After QUEUED the output reports the end, unless the session ends before.
     *
     * @param requestId unique among what waits of this session; a request that waits already is left as it is
     */
    public LockResult setw(long requestId, LockRequest request, boolean checksDeadlock) {
        WaiterId id = new WaiterId(request.owner().session(), requestId);
        if (waiters.containsKey(id)) {
            return LockResult.QUEUED;
        }
        if (isHeldAlready(request)) {
            return LockResult.GRANTED;
        }
        FileLocks file = file(keyOf(request));
        LockResult result = mustWait(file, request, file.queue)
                ? enqueue(file, id, new Waiter(requestId, request, checksDeadlock))
                : acquire(file, request);
        settle(file);
        return result;
    }

    /** Unlocks what the owner holds of the range: GRANTED, or NO_LOCKS if that would make two ranges of one and there is no room. */
    public LockResult unlock(long inode, LockKind kind, LockOwner owner, long firstByte, long lastByte) {
        LockedRange.check(firstByte, lastByte);
        FileLocks file = files.get(new FileLocks.Key(inode, kind));
        if (file == null) {
            return LockResult.GRANTED;
        }
        LockResult result = change(file, owner, firstByte, lastByte, null, 0);
        settle(file);
        return result;
    }

    /** Takes a request out of the queue; its end is reported as INTERRUPTED. Of no effect if it does not wait (any more). */
    public void cancel(SessionId session, long requestId) {
        Waiter waiter = waiters.get(new WaiterId(session, requestId));
        if (waiter != null) {
            FileLocks file = file(keyOf(waiter.request()));
            dequeue(file, waiter);
            output.finished(session, requestId, LockResult.INTERRUPTED);
            unsettled.add(file);
            settle(file);
        }
    }

    /** Drops all that the owner holds of the file. What it waits for there stays. */
    public void releaseOwner(long inode, LockKind kind, LockOwner owner) {
        FileLocks file = files.get(new FileLocks.Key(inode, kind));
        if (file != null) {
            drop(file, owner);
            settle(file);
        }
    }

    /** The session is over: what it held is free, what it waited for is forgotten without a report. */
    public void endSession(SessionId session) {
        for (FileLocks file : List.copyOf(files.values())) {
            for (Waiter waiter : List.copyOf(file.queue)) {
                if (waiter.session().equals(session)) {
                    dequeue(file, waiter);
                    unsettled.add(file);
                }
            }
        }
        for (FileLocks file : List.copyOf(files.values())) {
            for (LockOwner owner : List.copyOf(file.held.keySet())) {
                if (owner.session().equals(session)) {
                    drop(file, owner);
                }
            }
        }
        settle();
    }

    /** What a session holds, for it to {@link #restore} with the volume's next owner. */
    public List<HeldLock> held(SessionId session) {
        return collect(owner -> owner.session().equals(session), null);
    }

    /** What is held of a file, in the order of the file. */
    public List<HeldLock> held(long inode) {
        return collect(owner -> true, inode);
    }

    /** Takes over a lock that an earlier owner of the volume had granted. GRANTED, or CONFLICT or NO_LOCKS if it cannot be had any more. */
    public LockResult restore(HeldLock lock) {
        return set(lock.asRequest());
    }

    /** Locked ranges of the volume. */
    public int rangeCount() {
        return ranges;
    }

    /** Requests that wait. */
    public int waiterCount() {
        return waiters.size();
    }

    /** Files with locks or waiters; the two kinds count separately. */
    int fileCount() {
        return files.size();
    }

    // ---- what is granted

    /** For flock: true if there is nothing to do. If the mode cannot be changed now, the lock is given up, and goes to those who waited for it. */
    private boolean isHeldAlready(LockRequest request) {
        FileLocks file = files.get(keyOf(request));
        OwnerRanges own = file == null || request.kind() == LockKind.POSIX ? null : file.held.get(request.owner());
        if (file == null || own == null) {
            return false;
        }
        if (own.all().iterator().next().mode() == request.mode()) {
            return true;
        }
        if (file.conflicts(request)) {
            drop(file, request.owner());
            settle(file);
        }
        return false;
    }

    private boolean mustWait(FileLocks file, LockRequest request, List<Waiter> earlier) {
        return file.conflicts(request)
                || (!filesHeld.containsKey(party(request)) && FileLocks.conflictsWithWaiter(earlier, request));
    }

    private LockResult acquire(FileLocks file, LockRequest request) {
        return change(file, request.owner(), request.firstByte(), request.lastByte(), request.mode(), request.pid());
    }

    private LockResult change(
            FileLocks file, LockOwner owner, long first, long last, @Nullable LockMode mode, int pid) {
        OwnerRanges own = file.held.get(owner);
        if (own == null) {
            if (mode == null) {
                return LockResult.GRANTED;
            }
            own = new OwnerRanges();
        }
        OwnerRanges.Change change = own.plan(first, last, mode, pid);
        int growth = change.growth();
        if (growth > 0 && (file.ranges + growth > limits.perFile() || ranges + growth > limits.total())) {
            return LockResult.NO_LOCKS;
        }
        boolean held = !own.isEmpty();
        own.apply(change);
        file.ranges += growth;
        ranges += growth;
        if (change.weakens(first, last, mode)) {
            unsettled.add(file);
        }
        Party party = new Party(file.key.kind(), owner);
        if (held && own.isEmpty()) {
            file.held.remove(owner);
            countFile(party, -1);
        } else if (!held) {
            file.held.put(owner, own);
            countFile(party, 1);
        }
        if (mode != null && waitsOf.containsKey(party)) {
            suspects.add(file);
        }
        return LockResult.GRANTED;
    }

    private void drop(FileLocks file, LockOwner owner) {
        OwnerRanges own = file.held.remove(owner);
        if (own != null) {
            file.ranges -= own.count();
            ranges -= own.count();
            countFile(new Party(file.key.kind(), owner), -1);
            unsettled.add(file);
        }
    }

    private void countFile(Party party, int delta) {
        int count = filesHeld.merge(party, delta, Integer::sum);
        if (count == 0) {
            filesHeld.remove(party);
        } else if (count == 1 && delta == 1) {
            // It need not wait behind others any more.
            for (Waiter waiter : waitsOf.getOrDefault(party, List.of())) {
                unsettled.add(file(keyOf(waiter.request())));
            }
        }
    }

    // ---- who waits

    private LockResult enqueue(FileLocks file, WaiterId id, Waiter waiter) {
        LockRequest request = waiter.request();
        if (waiter.checksDeadlock() && closesCircle(file, request)) {
            return LockResult.DEADLOCK;
        }
        if (waiters.size() >= limits.waiting()) {
            return LockResult.NO_LOCKS;
        }
        file.queue.add(waiter);
        waiters.put(id, waiter);
        waitsOf.computeIfAbsent(party(request), key -> new ArrayList<>(1)).add(waiter);
        return LockResult.QUEUED;
    }

    private void dequeue(FileLocks file, Waiter waiter) {
        file.queue.remove(waiter);
        waiters.remove(new WaiterId(waiter.session(), waiter.requestId()));
        waitsOf.computeIfPresent(party(waiter.request()), (party, waits) -> {
            waits.remove(waiter);
            return waits.isEmpty() ? null : waits;
        });
    }

    /** True if the request, were it to wait, would in the end wait for its own owner. */
    private boolean closesCircle(FileLocks file, LockRequest request) {
        if (request.kind() != LockKind.POSIX) {
            return false;
        }
        Set<LockOwner> seen = new LinkedHashSet<>(file.blockers(request));
        List<LockOwner> next = new ArrayList<>(seen);
        while (!next.isEmpty()) {
            LockOwner owner = next.removeLast();
            if (owner.equals(request.owner())) {
                return true;
            }
            for (Waiter waiter : waitsOf.getOrDefault(new Party(LockKind.POSIX, owner), List.of())) {
                if (waiter.checksDeadlock()) {
                    for (LockOwner blocker : file(keyOf(waiter.request())).blockers(waiter.request())) {
                        if (seen.add(blocker)) {
                            next.add(blocker);
                        }
                    }
                }
            }
        }
        return false;
    }

    // ---- after each change

    private void settle(FileLocks changed) {
        settle();
        dropIfUnused(changed);
    }

    private void settle() {
        settleUnsettled();
        while (!suspects.isEmpty()) {
            FileLocks file = suspects.removeFirst();
            for (Waiter waiter : List.copyOf(file.queue)) {
                if (waiter.checksDeadlock()
                        && waiters.containsKey(new WaiterId(waiter.session(), waiter.requestId()))
                        && closesCircle(file, waiter.request())) {
                    end(file, waiter, LockResult.DEADLOCK);
                    unsettled.add(file);
                }
            }
            settleUnsettled();
            dropIfUnused(file);
        }
    }

    private void settleUnsettled() {
        while (!unsettled.isEmpty()) {
            FileLocks file = unsettled.removeFirst();
            serve(file);
            dropIfUnused(file);
        }
    }

    /** Grants what can be granted, first come first served; what a grant weakens or lets past is settled after. */
    private void serve(FileLocks file) {
        List<Waiter> still = new ArrayList<>();
        for (Waiter waiter : List.copyOf(file.queue)) {
            if (mustWait(file, waiter.request(), still)) {
                still.add(waiter);
            } else {
                dequeue(file, waiter);
                LockResult result = acquire(file, waiter.request());
                output.finished(waiter.session(), waiter.requestId(), result);
            }
        }
    }

    private void end(FileLocks file, Waiter waiter, LockResult result) {
        dequeue(file, waiter);
        output.finished(waiter.session(), waiter.requestId(), result);
    }

    // ---- files

    private static FileLocks.Key keyOf(LockRequest request) {
        return new FileLocks.Key(request.inode(), request.kind());
    }

    private static Party party(LockRequest request) {
        return new Party(request.kind(), request.owner());
    }

    private FileLocks file(FileLocks.Key key) {
        return files.computeIfAbsent(key, FileLocks::new);
    }

    private void dropIfUnused(FileLocks file) {
        if (file.isUnused()) {
            files.remove(file.key, file);
        }
    }

    private List<HeldLock> collect(Predicate<LockOwner> which, @Nullable Long inode) {
        List<HeldLock> locks = new ArrayList<>();
        for (FileLocks file : files.values()) {
            if (inode == null || file.key.inode() == inode) {
                file.held.keySet().stream().filter(which).forEach(owner -> file.collect(owner, locks));
            }
        }
        locks.sort(Comparator.comparingLong(HeldLock::inode)
                .thenComparing(HeldLock::kind)
                .thenComparingLong(HeldLock::firstByte)
                .thenComparingLong(lock -> lock.owner().session().value())
                .thenComparingLong(lock -> lock.owner().kernelOwner()));
        return locks;
    }
}
