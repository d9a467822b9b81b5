package io.tesserafs.node.data;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.coherence.lock.LocalLocks;
import io.tesserafs.coherence.lock.LockKind;
import io.tesserafs.coherence.lock.LockMode;
import io.tesserafs.coherence.lock.LockOwner;
import io.tesserafs.coherence.lock.LockRequest;
import io.tesserafs.coherence.lock.LockService;
import io.tesserafs.coherence.lock.LockService.Waiting;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.FileLock;
import io.tesserafs.fuse.Request;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What becomes of lock requests, with a table in this process and requests that record their answers. */
class LockHandlersTest {
    private static final SessionId HERE = new SessionId(1);
    private static final SessionId ELSEWHERE = new SessionId(2);
    private static final long FILE = 5;
    private static final long HANDLE = 100;

    private final LocalLocks locks = new LocalLocks();
    private final LockService other = locks.service(ELSEWHERE);
    private final OpenFile open = new OpenFile(FILE, null, true, false, false);
    private final List<Long> dropped = new ArrayList<>();
    private final LockHandlers handlers =
            new LockHandlers(locks.service(HERE), (rq, ino) -> rq.replyOk(), new LockHandlers.Opened() {
                @Override
                public OpenFile find(long handle) {
                    return handle == HANDLE ? open : null;
                }

                @Override
                public void dropPages(long ino) {
                    dropped.add(ino);
                }
            });

    /** A request that remembers what was done with it. */
    private static final class Asked {
        final List<String> events = new ArrayList<>();
        Runnable interrupt = () -> {};

        final Request rq = (Request) Proxy.newProxyInstance(
                Request.class.getClassLoader(), new Class<?>[] {Request.class}, (proxy, method, arguments) -> {
                    switch (method.getName()) {
                        case "pid" -> {
                            return 0;
                        }
                        case "unique" -> {
                            return 1L;
                        }
                        case "onInterrupt" -> interrupt = (Runnable) arguments[0];
                        default -> events.add(method.getName() + (arguments == null ? "" : " " + arguments[0]));
                    }
                    return null;
                });
    }

    private static FileLock lock(long owner, int type, long first, long last) {
        return new FileLock(owner, type, first, last, 4242, false);
    }

    private List<String> setlk(FileLock lock, boolean wait) {
        Asked asked = new Asked();
        handlers.setlk(asked.rq, FILE, HANDLE, lock, wait);
        return asked.events;
    }

    private void lockElsewhere(LockMode mode, long first, long last) {
        LockRequest request = new LockRequest(FILE, LockKind.POSIX, new LockOwner(ELSEWHERE, 9), 77, mode, first, last);
        other.setlk(1, request, Waiting.NO).join();
    }

    @Test
    void shouldAnswerAtOnceWhatNeedNotWait() {
        assertThat(setlk(lock(7, FileLock.WRITE, 0, 9), true)).containsExactly("replyOk");
        assertThat(setlk(lock(8, FileLock.READ, 5, 5), false)).containsExactly("replyError " + Errno.EAGAIN);
        assertThat(setlk(lock(7, FileLock.UNLOCKED, 5, 9), false)).containsExactly("replyOk");
        assertThat(setlk(lock(8, FileLock.READ, 5, 5), false)).containsExactly("replyOk");
    }

    @Test
    void shouldDetachAWaitAndAnswerItWhenItIsGranted() {
        lockElsewhere(LockMode.WRITE, 0, 9);
        List<String> waiting = setlk(lock(7, FileLock.WRITE, 0, 9), true);
        assertThat(waiting).containsExactly("detach");
        other.unlock(FILE, LockKind.POSIX, 9, 0, 9).join();
        assertThat(waiting).containsExactly("detach", "replyOk");
    }

    @Test
    void shouldAnswerEintrToAnInterruptedWait() {
        lockElsewhere(LockMode.WRITE, 0, 9);
        Asked asked = new Asked();
        handlers.setlk(asked.rq, FILE, HANDLE, lock(7, FileLock.WRITE, 0, 9), true);
        asked.interrupt.run();
        assertThat(asked.events).containsExactly("detach", "replyError " + Errno.EINTR);
        other.unlock(FILE, LockKind.POSIX, 9, 0, 9).join();
        assertThat(locks.held(FILE).join()).isEmpty();
    }

    @Test
    void shouldShowProcessesOfThisNodeOnly() {
        lockElsewhere(LockMode.READ, 0, 9);
        setlk(lock(7, FileLock.WRITE, 10, 19), false);
        Asked asked = new Asked();
        handlers.getlk(asked.rq, FILE, lock(8, FileLock.WRITE, 0, 5));
        handlers.getlk(asked.rq, FILE, lock(8, FileLock.READ, 5, 15));
        handlers.getlk(asked.rq, FILE, lock(8, FileLock.READ, 20, 25));
        assertThat(asked.events)
                .containsExactly(
                        "replyLock FileLock[owner=9, type=0, firstByte=0, lastByte=9, pid=0, flock=false]",
                        "replyLock FileLock[owner=7, type=1, firstByte=10, lastByte=19, pid=4242, flock=false]",
                        "replyLock FileLock[owner=8, type=2, firstByte=20, lastByte=25, pid=0, flock=false]");
    }

    @Test
    void shouldEndDescriptionAndFlockLocksWithTheHandle() {
        setlk(lock(7, FileLock.WRITE, 0, 9), false);
        setlk(new FileLock(7, FileLock.WRITE, 0, Long.MAX_VALUE, 1, true), false);
        handlers.released(FILE, HANDLE + 1, null);
        assertThat(locks.held(FILE).join()).hasSize(2);
        handlers.released(FILE, HANDLE, 7L);
        assertThat(locks.held(FILE).join()).isEmpty();
    }

    @Test
    void shouldSpoilTheOpenFileWhoseLockIsLostUntilItIsReleased() {
        setlk(lock(7, FileLock.WRITE, 0, 9), false);
        setlk(lock(7, FileLock.READ, 20, 29), false);
        assertThat(open.hasLostLocks()).isFalse();
        locks.endSession(HERE).join();
        assertThat(open.hasLostLocks()).isTrue();
        assertThat(dropped).contains(FILE);
        assertThat(setlk(lock(7, FileLock.WRITE, 0, 9), false)).containsExactly("replyError " + Errno.EIO);
        setlk(lock(7, FileLock.UNLOCKED, 0, 25), false);
        assertThat(open.hasLostLocks()).isTrue();
        setlk(lock(7, FileLock.UNLOCKED, 26, Long.MAX_VALUE), false);
        assertThat(open.hasLostLocks()).isFalse();
    }

    @Test
    void shouldForgetALostFlockLockWithItsOpenFile() {
        setlk(new FileLock(7, FileLock.WRITE, 0, Long.MAX_VALUE, 1, true), false);
        locks.endSession(HERE).join();
        assertThat(open.hasLostLocks()).isTrue();
        handlers.released(FILE, HANDLE, 7L);
        assertThat(open.hasLostLocks()).isFalse();
    }

    @Test
    void shouldNotSpoilAnOpenFileWhoseLocksWereReleasedBefore() {
        setlk(lock(7, FileLock.WRITE, 0, 9), false);
        setlk(lock(7, FileLock.UNLOCKED, 0, 9), false);
        locks.endSession(HERE).join();
        assertThat(open.hasLostLocks()).isFalse();
        assertThat(dropped).isEmpty();
    }

    @Test
    void shouldSayEioWhenTheSessionIsOver() {
        locks.endSession(HERE).join();
        assertThat(setlk(lock(7, FileLock.WRITE, 0, 9), true)).containsExactly("replyError " + Errno.EIO);
    }
}
