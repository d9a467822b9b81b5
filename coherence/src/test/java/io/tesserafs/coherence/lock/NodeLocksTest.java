package io.tesserafs.coherence.lock;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.brick.SessionId;
import org.junit.jupiter.api.Test;

class NodeLocksTest {
    private static final SessionId SESSION = new SessionId(1);
    private static final LockOwner OWNER = new LockOwner(SESSION, 7);
    private static final LockOwner OTHER = new LockOwner(SESSION, 8);

    private final NodeLocks locks = new NodeLocks();

    private static HeldLock lock(LockOwner owner, LockMode mode, long first, long last) {
        return new HeldLock(5, LockKind.POSIX, owner, 42, mode, first, last);
    }

    private void set(HeldLock lock) {
        locks.set(lock.asRequest());
    }

    @Test
    void shouldMergeAndSplitRangesOfAnOwner() {
        set(lock(OWNER, LockMode.WRITE, 0, 9));
        set(lock(OWNER, LockMode.WRITE, 10, 19));
        locks.unlock(5, LockKind.POSIX, OWNER, 5, 14);
        assertThat(locks.held(SESSION))
                .containsExactly(lock(OWNER, LockMode.WRITE, 0, 4), lock(OWNER, LockMode.WRITE, 15, 19));
        locks.release(5, LockKind.POSIX, OWNER);
        assertThat(locks.holds(5, LockKind.POSIX, OWNER)).isFalse();
    }

    @Test
    void shouldNoteWhatOthersHoldInTheOrderItIsHeardOf() {
        set(lock(OWNER, LockMode.WRITE, 0, 9));
        set(lock(OTHER, LockMode.READ, 0, 9)); // granted once the first was made a read lock, which is heard of later
        set(lock(OWNER, LockMode.READ, 0, 9));
        assertThat(locks.held(SESSION))
                .containsExactly(lock(OWNER, LockMode.READ, 0, 9), lock(OTHER, LockMode.READ, 0, 9));
    }

    @Test
    void shouldStrikeOffOnlyWhatIsNoted() {
        set(lock(OWNER, LockMode.WRITE, 0, 9));
        assertThat(locks.take(lock(OWNER, LockMode.WRITE, 10, 19))).isFalse();
        assertThat(locks.take(lock(OTHER, LockMode.WRITE, 0, 9))).isFalse();
        assertThat(locks.take(lock(OWNER, LockMode.WRITE, 0, 9))).isTrue();
        assertThat(locks.take(lock(OWNER, LockMode.WRITE, 0, 9))).isFalse();
    }

    @Test
    void shouldGiveUpAFlockLockOnlyForAnotherMode() {
        LockRequest write = new LockRequest(5, LockKind.FLOCK, OWNER, 42, LockMode.WRITE, 0, LockRequest.TO_END);
        locks.set(write);
        locks.convert(write);
        assertThat(locks.holds(5, LockKind.FLOCK, OWNER)).isTrue();
        locks.convert(new LockRequest(5, LockKind.FLOCK, OWNER, 42, LockMode.READ, 0, LockRequest.TO_END));
        assertThat(locks.holds(5, LockKind.FLOCK, OWNER)).isFalse();
    }

    @Test
    void shouldReturnWhatEndsWithASession() {
        set(lock(OWNER, LockMode.WRITE, 0, 9));
        set(lock(new LockOwner(new SessionId(2), 7), LockMode.READ, 20, 29));
        assertThat(locks.endSession(SESSION)).containsExactly(lock(OWNER, LockMode.WRITE, 0, 9));
        assertThat(locks.held(SESSION)).isEmpty();
        assertThat(locks.held(new SessionId(2))).hasSize(1);
    }
}
