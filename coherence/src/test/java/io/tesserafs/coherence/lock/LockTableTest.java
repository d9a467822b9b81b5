package io.tesserafs.coherence.lock;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class LockTableTest {
    private static final SessionId NODE = new SessionId(1);
    private static final SessionId OTHER_NODE = new SessionId(2);
    private static final LockOwner A = new LockOwner(NODE, 10);
    private static final LockOwner B = new LockOwner(NODE, 11);
    private static final LockOwner C = new LockOwner(OTHER_NODE, 10);
    private static final LockOwner D = new LockOwner(OTHER_NODE, 11);
    private static final long FILE = 5;
    private static final long OTHER_FILE = 6;

    private final List<String> ends = new ArrayList<>();
    private final LockTable table = newTable(new LockLimits(100, 200, 50));

    private LockTable newTable(LockLimits limits) {
        return new LockTable(limits, (session, id, result) -> ends.add(id + " " + result));
    }

    private static LockRequest lock(LockOwner owner, long inode, LockMode mode, long first, long last) {
        return new LockRequest(inode, LockKind.POSIX, owner, (int) owner.kernelOwner(), mode, first, last);
    }

    private static LockRequest read(LockOwner owner, long first, long last) {
        return lock(owner, FILE, LockMode.READ, first, last);
    }

    private static LockRequest write(LockOwner owner, long first, long last) {
        return lock(owner, FILE, LockMode.WRITE, first, last);
    }

    private static LockRequest flock(LockOwner owner, LockMode mode) {
        return new LockRequest(FILE, LockKind.FLOCK, owner, 1, mode, 0, LockRequest.TO_END);
    }

    private List<String> held() {
        return table.held(FILE).stream()
                .map(l -> l.mode() + " " + l.firstByte() + "-"
                        + (l.lastByte() == LockRequest.TO_END ? "end" : l.lastByte()) + " "
                        + l.owner().session()
                        + "/" + l.owner().kernelOwner())
                .toList();
    }

    private void granted(LockRequest request) {
        assertThat(table.set(request)).isEqualTo(LockResult.GRANTED);
    }

    private void queued(long id, LockRequest request) {
        assertThat(table.setw(id, request, true)).isEqualTo(LockResult.QUEUED);
    }

    private void unlock(LockOwner owner, long first, long last) {
        assertThat(table.unlock(FILE, LockKind.POSIX, owner, first, last)).isEqualTo(LockResult.GRANTED);
    }

    @Test
    void shouldShareReadLocksAndRefuseWriters() {
        granted(read(A, 0, 99));
        granted(read(C, 50, LockRequest.TO_END));
        assertThat(table.set(write(B, 99, 99))).isEqualTo(LockResult.CONFLICT);
        granted(write(A, 0, 49));
        assertThat(table.set(write(A, 0, 50))).isEqualTo(LockResult.CONFLICT);
        assertThat(held()).containsExactly("WRITE 0-49 s1/10", "READ 50-99 s1/10", "READ 50-end s2/10");
    }

    @Test
    void shouldTellTheFirstConflictingLock() {
        granted(write(C, 200, 299));
        granted(write(A, 100, 149));
        assertThat(table.get(read(B, 0, 99))).isNull();
        assertThat(table.get(read(B, 0, 1000)))
                .isEqualTo(new HeldLock(FILE, LockKind.POSIX, A, 10, LockMode.WRITE, 100, 149));
        assertThat(table.get(read(A, 0, 1000)))
                .isEqualTo(new HeldLock(FILE, LockKind.POSIX, C, 10, LockMode.WRITE, 200, 299));
        assertThat(table.get(lock(B, OTHER_FILE, LockMode.WRITE, 0, 1000))).isNull();
    }

    @Test
    void shouldSplitAndMergeRanges() {
        granted(write(A, 0, 99));
        granted(read(A, 40, 59));
        assertThat(held()).containsExactly("WRITE 0-39 s1/10", "READ 40-59 s1/10", "WRITE 60-99 s1/10");
        granted(read(A, 60, 69));
        assertThat(held()).containsExactly("WRITE 0-39 s1/10", "READ 40-69 s1/10", "WRITE 70-99 s1/10");
        granted(write(A, 40, 69));
        assertThat(held()).containsExactly("WRITE 0-99 s1/10");
        unlock(A, 10, 19);
        unlock(A, 95, LockRequest.TO_END);
        assertThat(held()).containsExactly("WRITE 0-9 s1/10", "WRITE 20-94 s1/10");
        granted(write(A, 10, 19));
        granted(write(A, LockRequest.TO_END, LockRequest.TO_END));
        assertThat(held()).containsExactly("WRITE 0-94 s1/10", "WRITE 9223372036854775807-end s1/10");
        assertThat(table.rangeCount()).isEqualTo(2);
        unlock(A, 0, LockRequest.TO_END);
        assertThat(table.rangeCount()).isZero();
        assertThat(table.fileCount()).isZero();
    }

    @Test
    void shouldWakeAllWhoCanBeServed() {
        granted(write(A, 0, 99));
        queued(1, read(B, 0, 9));
        queued(2, read(C, 0, 99));
        queued(3, write(D, 90, 99));
        unlock(A, 5, 5);
        assertThat(ends).isEmpty();
        granted(read(A, 0, 99)); // a downgrade frees readers too
        assertThat(ends).containsExactly("1 GRANTED", "2 GRANTED");
        unlock(A, 0, LockRequest.TO_END);
        assertThat(ends).hasSize(2);
        unlock(C, 90, 99);
        assertThat(ends).containsExactly("1 GRANTED", "2 GRANTED", "3 GRANTED");
        assertThat(table.waiterCount()).isZero();
    }

    @Test
    void shouldNotLetReadersStarveAWriter() {
        granted(read(A, 0, 9));
        queued(1, write(B, 0, 9));
        queued(2, read(C, 5, 5));
        queued(3, write(D, 0, 0));
        unlock(A, 0, 9);
        assertThat(ends).containsExactly("1 GRANTED");
        unlock(B, 0, 9);
        assertThat(ends).containsExactly("1 GRANTED", "2 GRANTED", "3 GRANTED");
    }

    @Test
    void shouldLetPastWhoHoldsSomethingRatherThanMakeACircle() {
        granted(read(A, 0, 9));
        queued(1, write(B, 0, 19));
        assertThat(table.setw(2, read(A, 10, 19), true)).isEqualTo(LockResult.GRANTED);
        // C holds nothing and stays behind B until it does.
        queued(3, read(C, 0, 9));
        granted(lock(C, OTHER_FILE, LockMode.READ, 0, 0));
        assertThat(ends).containsExactly("3 GRANTED");
    }

    @Test
    void shouldServeThoseBehindWhoeverGivesUpWaiting() {
        granted(read(A, 0, 9));
        queued(1, write(B, 0, 9));
        queued(2, read(C, 0, 9));
        table.cancel(OTHER_NODE, 1);
        assertThat(ends).isEmpty();
        table.cancel(NODE, 1);
        assertThat(ends).containsExactly("1 INTERRUPTED", "2 GRANTED");
        table.cancel(OTHER_NODE, 2);
        assertThat(ends).hasSize(2);
        assertThat(held()).containsExactly("READ 0-9 s1/10", "READ 0-9 s2/10");
    }

    @Test
    void shouldRefuseToWaitInACircleOverSeveralFiles() {
        granted(write(A, 0, 0));
        granted(lock(B, OTHER_FILE, LockMode.WRITE, 0, 0));
        granted(write(C, 1, 1));
        queued(1, lock(A, OTHER_FILE, LockMode.READ, 0, 5));
        queued(2, lock(B, FILE, LockMode.READ, 1, 1));
        assertThat(table.setw(3, write(C, 0, 0), true)).isEqualTo(LockResult.DEADLOCK);
        assertThat(table.set(write(C, 0, 0))).isEqualTo(LockResult.CONFLICT);
        unlock(C, 1, 1);
        assertThat(ends).containsExactly("2 GRANTED");
    }

    @Test
    void shouldRefuseTwoReadersWhoBothWantToWrite() {
        granted(read(A, 0, 9));
        granted(read(B, 0, 9));
        queued(1, write(A, 0, 9));
        assertThat(table.setw(2, write(B, 0, 9), true)).isEqualTo(LockResult.DEADLOCK);
        unlock(B, 0, 9);
        assertThat(ends).containsExactly("1 GRANTED");
    }

    @Test
    void shouldLetUncheckedRequestsWaitInACircle() {
        granted(write(A, 0, 0));
        granted(write(B, 1, 1));
        assertThat(table.setw(1, write(A, 1, 1), false)).isEqualTo(LockResult.QUEUED);
        assertThat(table.setw(2, write(B, 0, 0), true)).isEqualTo(LockResult.QUEUED);
        unlock(A, 0, 0);
        assertThat(ends).containsExactly("2 GRANTED");
    }

    /** C has two threads: one waits for A, and the other takes a byte that A waits for. */
    @Test
    void shouldFindACircleThatAGrantCloses() {
        granted(write(A, 0, 0));
        granted(write(B, 1, 1));
        granted(write(C, 9, 9));
        queued(1, write(A, 1, 2));
        queued(2, write(C, 0, 0));
        granted(write(C, 2, 2));
        assertThat(ends).containsExactly("1 DEADLOCK");
        unlock(A, 0, 0);
        assertThat(ends).containsExactly("1 DEADLOCK", "2 GRANTED");
    }

    @Test
    void shouldGiveUpAFlockWhoseModeCannotBeChanged() {
        granted(flock(A, LockMode.READ));
        granted(flock(B, LockMode.READ));
        granted(flock(B, LockMode.READ));
        assertThat(table.set(flock(A, LockMode.WRITE))).isEqualTo(LockResult.CONFLICT);
        assertThat(held()).containsExactly("READ 0-end s1/11");
        granted(flock(A, LockMode.READ));
        queued(1, flock(A, LockMode.WRITE));
        assertThat(table.setw(2, flock(B, LockMode.WRITE), true)).isEqualTo(LockResult.GRANTED);
        assertThat(ends).isEmpty();
        granted(flock(B, LockMode.READ)); // nobody in the way: it keeps what it has
        assertThat(ends).isEmpty();
        table.releaseOwner(FILE, LockKind.FLOCK, B);
        assertThat(ends).containsExactly("1 GRANTED");
        assertThat(table.unlock(FILE, LockKind.FLOCK, A, 0, LockRequest.TO_END)).isEqualTo(LockResult.GRANTED);
        assertThat(table.fileCount()).isZero();
    }

    @Test
    void shouldKeepFlockAndPosixLocksApart() {
        granted(flock(A, LockMode.WRITE));
        granted(write(B, 0, LockRequest.TO_END));
        table.releaseOwner(FILE, LockKind.POSIX, A);
        assertThat(held()).hasSize(2);
        assertThatThrownBy(() -> new LockRequest(FILE, LockKind.FLOCK, A, 1, LockMode.READ, 1, 2))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> read(A, 5, 4)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void shouldDropAllOfAnOwnerOnOneFile() {
        granted(write(A, 0, 9));
        granted(read(A, 20, 29));
        granted(lock(A, OTHER_FILE, LockMode.WRITE, 0, 9));
        queued(1, write(C, 0, 99));
        table.releaseOwner(FILE, LockKind.POSIX, A);
        assertThat(ends).containsExactly("1 GRANTED");
        assertThat(table.held(OTHER_FILE)).hasSize(1);
    }

    @Test
    void shouldFreeWhatASessionHeldAndForgetWhatItWaitedFor() {
        granted(write(A, 0, 9));
        granted(write(C, 10, 19));
        queued(1, write(B, 10, 19));
        queued(2, read(D, 0, 5));
        table.endSession(NODE);
        assertThat(ends).containsExactly("2 GRANTED");
        unlock(C, 0, LockRequest.TO_END);
        assertThat(held()).containsExactly("READ 0-5 s2/11");
    }

    @Test
    void shouldTakeOverLocksFromAnEarlierOwner() {
        granted(write(A, 0, 9));
        granted(read(A, 10, 19));
        granted(flock(B, LockMode.WRITE));
        granted(write(C, 30, 39));
        LockTable next = newTable(LockLimits.DEFAULT);
        for (HeldLock lock : table.held(NODE)) {
            assertThat(next.restore(lock)).isEqualTo(LockResult.GRANTED);
        }
        assertThat(next.held(NODE)).hasSize(3).isEqualTo(table.held(NODE));
        HeldLock lost = new HeldLock(FILE, LockKind.POSIX, C, 1, LockMode.WRITE, 9, 9);
        assertThat(next.restore(lost)).isEqualTo(LockResult.CONFLICT);
    }

    @Test
    void shouldRefuseMoreLocksThanAllowed() {
        LockTable small = newTable(new LockLimits(3, 5, 1));
        assertThat(small.set(write(A, 0, 99))).isEqualTo(LockResult.GRANTED);
        assertThat(small.unlock(FILE, LockKind.POSIX, A, 10, 10)).isEqualTo(LockResult.GRANTED);
        assertThat(small.unlock(FILE, LockKind.POSIX, A, 20, 20)).isEqualTo(LockResult.GRANTED);
        assertThat(small.unlock(FILE, LockKind.POSIX, A, 30, 30)).isEqualTo(LockResult.NO_LOCKS);
        assertThat(small.set(write(C, 200, 200))).isEqualTo(LockResult.NO_LOCKS);
        assertThat(small.set(write(A, 10, 20))).isEqualTo(LockResult.GRANTED);
        assertThat(small.rangeCount()).isEqualTo(1);
        for (long i = 0; i < 3; i++) {
            assertThat(small.set(lock(B, OTHER_FILE, LockMode.READ, i * 2, i * 2)))
                    .isEqualTo(LockResult.GRANTED);
        }
        assertThat(small.setw(1, write(C, 0, 0), true)).isEqualTo(LockResult.QUEUED);
        assertThat(small.setw(1, write(C, 0, 0), true)).isEqualTo(LockResult.QUEUED);
        assertThat(small.setw(2, write(D, 0, 0), true)).isEqualTo(LockResult.NO_LOCKS);
    }
}
