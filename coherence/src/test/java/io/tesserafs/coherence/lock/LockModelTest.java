package io.tesserafs.coherence.lock;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * The table against arrays with one mode per byte, file and owner. After each random operation: both hold the same; no waiter could be
 * served (no wake-up is lost); no circle of waiting owners is left. Requests are granted, refused and queued exactly when the arrays say so.
 */
class LockModelTest {
    private static final int SEEDS = 4_000;
    private static final int OPERATIONS = 80;
    private static final int FILES = 2;
    private static final int OWNERS = 5;
    private static final int BYTES = 12;

    private record Wait(long id, int owner, LockRequest request, boolean checked) {}

    private static final class Run {
        final Random random;
        final LockTable table = new LockTable(LockLimits.DEFAULT, this::finished);
        /** By kind, file, owner and byte. */
        final @Nullable LockMode[][][][] modes = new LockMode[2][FILES][OWNERS][BYTES];

        final List<Wait> waits = new ArrayList<>();
        long lastId;

        Run(long seed) {
            random = new Random(seed);
        }

        static LockOwner owner(int index) {
            return new LockOwner(new SessionId(1 + index % 2), index);
        }

        static int index(LockKind kind) {
            return kind == LockKind.POSIX ? 0 : 1;
        }

        LockMode[][] held(LockRequest request) {
            return modes[index(request.kind())][(int) request.inode()];
        }

        /** TO_END stands for the last byte of the arrays. */
        static int last(LockRequest request) {
            return (int) Math.min(request.lastByte(), BYTES - 1);
        }

        boolean conflicts(int owner, int other, LockRequest request) {
            if (owner == other) {
                return false;
            }
            for (int at = (int) request.firstByte(); at <= last(request); at++) {
                LockMode mode = held(request)[other][at];
                if (mode != null && (mode == LockMode.WRITE || request.mode() == LockMode.WRITE)) {
                    return true;
                }
            }
            return false;
        }

        boolean conflicts(int owner, LockRequest request) {
            for (int other = 0; other < OWNERS; other++) {
                if (conflicts(owner, other, request)) {
                    return true;
                }
            }
            return false;
        }

        boolean holdsAnything(int owner, LockKind kind) {
            for (LockMode[][] file : modes[index(kind)]) {
                for (LockMode mode : file[owner]) {
                    if (mode != null) {
                        return true;
                    }
                }
            }
            return false;
        }

        boolean mustWait(int owner, LockRequest request, List<Wait> earlier) {
            return conflicts(owner, request)
                    || (!holdsAnything(owner, request.kind())
                            && earlier.stream().anyMatch(w -> wantsTheSame(w, owner, request)));
        }

        static boolean wantsTheSame(Wait wait, int owner, LockRequest request) {
            LockRequest other = wait.request();
            return wait.owner() != owner
                    && other.inode() == request.inode()
                    && other.kind() == request.kind()
                    && (other.mode() == LockMode.WRITE || request.mode() == LockMode.WRITE)
                    && other.firstByte() <= last(request)
                    && request.firstByte() <= last(other);
        }

        void fill(int owner, LockRequest request, @Nullable LockMode mode) {
            for (int at = (int) request.firstByte(); at <= last(request); at++) {
                held(request)[owner][at] = mode;
            }
        }

        /** Whether {@code from} waits, over any number of others, for {@code target}; {@code more} counts as waiting too. */
        boolean reaches(int from, int target, @Nullable Wait more) {
            boolean[] seen = new boolean[OWNERS];
            List<Integer> next = new ArrayList<>(List.of(from));
            List<Wait> all = new ArrayList<>(waits);
            if (more != null) {
                all.add(more);
            }
            while (!next.isEmpty()) {
                int owner = next.removeLast();
                for (Wait wait : all) {
                    if (wait.owner() != owner
                            || !wait.checked()
                            || wait.request().kind() == LockKind.FLOCK) {
                        continue;
                    }
                    for (int other = 0; other < OWNERS; other++) {
                        if (conflicts(owner, other, wait.request()) && !seen[other]) {
                            seen[other] = true;
                            next.add(other);
                        }
                    }
                }
            }
            return seen[target];
        }

        void finished(SessionId session, long id, LockResult result) {
            int index = 0;
            while (waits.get(index).id() != id) {
                index++;
            }
            Wait wait = waits.get(index);
            assertThat(wait.request().owner().session()).isEqualTo(session);
            switch (result) {
                case GRANTED -> {
                    assertThat(mustWait(wait.owner(), wait.request(), waits.subList(0, index)))
                            .isFalse();
                    fill(wait.owner(), wait.request(), wait.request().mode());
                }
                case DEADLOCK ->
                    assertThat(reaches(wait.owner(), wait.owner(), null)).isTrue();
                case INTERRUPTED -> assertThat(id).isEqualTo(cancelling);
                default -> throw new AssertionError(result);
            }
            waits.remove(index);
        }

        long cancelling;

        void step() {
            int owner = random.nextInt(OWNERS);
            int dice = random.nextInt(100);
            if (dice < 30) {
                set(owner);
            } else if (dice < 60) {
                setw(owner);
            } else if (dice < 85) {
                LockRequest range = request(owner);
                fill(owner, range, null);
                assertThat(table.unlock(
                                range.inode(), range.kind(), range.owner(), range.firstByte(), range.lastByte()))
                        .isEqualTo(LockResult.GRANTED);
            } else if (dice < 92) {
                cancelling = 1 + random.nextLong(lastId + 1);
                table.cancel(owner(owner).session(), cancelling);
            } else if (dice < 98) {
                release(owner, random.nextInt(FILES), random.nextBoolean() ? LockKind.POSIX : LockKind.FLOCK);
            } else {
                endSession(owner(owner).session());
            }
            check();
        }

        LockRequest request(int owner) {
            LockMode mode = random.nextBoolean() ? LockMode.READ : LockMode.WRITE;
            int file = random.nextInt(FILES);
            if (random.nextInt(4) == 0) {
                return new LockRequest(file, LockKind.FLOCK, owner(owner), 1, mode, 0, LockRequest.TO_END);
            }
            int first = random.nextInt(BYTES);
            int last = first + random.nextInt(BYTES - first);
            return new LockRequest(
                    file, LockKind.POSIX, owner(owner), 1, mode, first, last == BYTES - 1 ? LockRequest.TO_END : last);
        }

        void set(int owner) {
            LockRequest request = request(owner);
            if (giveUpOtherMode(owner, request)) {
                return;
            }
            HeldLock conflict = table.get(request);
            boolean granted = !conflicts(owner, request);
            assertThat(conflict == null).isEqualTo(granted);
            if (granted) {
                fill(owner, request, request.mode());
            }
            assertThat(table.set(request)).isEqualTo(granted ? LockResult.GRANTED : LockResult.CONFLICT);
        }

        void setw(int owner) {
            LockRequest request = request(owner);
            if (giveUpOtherMode(owner, request)) {
                return;
            }
            Wait wait = new Wait(++lastId, owner, request, random.nextInt(8) != 0);
            LockResult expected;
            if (!mustWait(owner, request, waits)) {
                expected = LockResult.GRANTED;
                fill(owner, request, request.mode());
            } else if (wait.checked() && request.kind() == LockKind.POSIX && reaches(owner, owner, wait)) {
                expected = LockResult.DEADLOCK;
            } else {
                expected = LockResult.QUEUED;
                waits.add(wait);
            }
            assertThat(table.setw(wait.id(), request, wait.checked())).isEqualTo(expected);
        }

        /**
         * flock gives up what it holds if others are in the way of the other mode. True if there is nothing more to do.
         */
        boolean giveUpOtherMode(int owner, LockRequest request) {
            LockMode mode = held(request)[owner][0];
            if (request.kind() == LockKind.POSIX || mode == null) {
                return false;
            }
            if (mode == request.mode()) {
                assertThat(table.set(request)).isEqualTo(LockResult.GRANTED);
                return true;
            }
            if (!conflicts(owner, request)) {
                return false;
            }
            if (random.nextBoolean()) {
                release(owner, (int) request.inode(), LockKind.FLOCK);
                return false;
            }
            fill(owner, request, null);
            // Whom that frees is served first, and only then is the request looked at.
            if (table.set(request) == LockResult.GRANTED) {
                assertThat(conflicts(owner, request)).isFalse();
                fill(owner, request, request.mode());
            } else {
                assertThat(conflicts(owner, request)).isTrue();
            }
            return true;
        }

        void release(int owner, int file, LockKind kind) {
            modes[index(kind)][file][owner] = new LockMode[BYTES];
            table.releaseOwner(file, kind, owner(owner));
        }

        void endSession(SessionId session) {
            for (int owner = 0; owner < OWNERS; owner++) {
                if (owner(owner).session().equals(session)) {
                    for (LockMode[][][] kind : modes) {
                        for (LockMode[][] file : kind) {
                            file[owner] = new LockMode[BYTES];
                        }
                    }
                }
            }
            waits.removeIf(wait -> wait.request().owner().session().equals(session));
            table.endSession(session);
        }

        void check() {
            for (int i = 0; i < waits.size(); i++) {
                Wait wait = waits.get(i);
                assertThat(mustWait(wait.owner(), wait.request(), waits.subList(0, i)))
                        .as("%s must wait", wait)
                        .isTrue();
            }
            for (int owner = 0; owner < OWNERS; owner++) {
                assertThat(reaches(owner, owner, null))
                        .as("circle of %d", owner)
                        .isFalse();
            }
            assertThat(table.waiterCount()).isEqualTo(waits.size());
            LockMode[][][][] real = new LockMode[2][FILES][OWNERS][BYTES];
            int ranges = 0;
            for (int file = 0; file < FILES; file++) {
                for (HeldLock lock : table.held(file)) {
                    ranges++;
                    LockMode[] bytes =
                            real[index(lock.kind())][file][(int) lock.owner().kernelOwner()];
                    for (int at = (int) lock.firstByte(); at <= last(lock.asRequest()); at++) {
                        assertThat(bytes[at]).isNull();
                        bytes[at] = lock.mode();
                    }
                    int before = (int) lock.firstByte() - 1;
                    assertThat(before >= 0 && bytes[before] == lock.mode()).isFalse();
                }
            }
            assertThat(real).isDeepEqualTo(modes);
            assertThat(table.rangeCount()).isEqualTo(ranges);
        }

        void finish() {
            for (int round = 0; round <= OPERATIONS && (!waits.isEmpty() || table.rangeCount() > 0); round++) {
                for (int owner = 0; owner < OWNERS; owner++) {
                    for (int file = 0; file < FILES; file++) {
                        release(owner, file, LockKind.POSIX);
                        release(owner, file, LockKind.FLOCK);
                    }
                }
                check();
            }
            assertThat(waits).isEmpty();
            assertThat(table.fileCount()).isZero();
        }
    }

    @Test
    void shouldAgreeWithArraysOfBytes() {
        for (long seed = 0; seed < SEEDS; seed++) {
            Run run = new Run(seed);
            try {
                for (int i = 0; i < OPERATIONS; i++) {
                    run.step();
                }
                run.finish();
            } catch (AssertionError | RuntimeException e) {
                throw new AssertionError("seed " + seed, e);
            }
        }
    }
}
