package io.tesserafs.cluster.history;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.cluster.history.Operation.Kind;
import io.tesserafs.cluster.history.RegisterChecker.Loss;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RegisterCheckerTest {
    private static final long SEED = Long.getLong("tessera.seed", System.nanoTime());
    private static final int MODEL_ROUNDS = 30_000;

    private static Operation write(int process, long value, long begin, long end) {
        return new Operation(process, Kind.WRITE, 0, value, begin, end);
    }

    private static Operation read(int process, long value, long begin, long end) {
        return new Operation(process, Kind.READ, 0, value, begin, end);
    }

    private static Operation pending(int process, long value, long begin) {
        return write(process, value, begin, Operation.UNKNOWN);
    }

    private static void accept(Operation... history) {
        assertThat(RegisterChecker.check(List.of(history), Loss.NONE)).isEmpty();
    }

    private static String refuse(Operation... history) {
        return RegisterChecker.check(List.of(history), Loss.NONE).orElseThrow();
    }

    @Test
    void shouldAcceptOneProcess() {
        accept(read(1, 0, 1, 2), write(1, 7, 3, 4), read(1, 7, 5, 6), write(1, 8, 7, 8), read(1, 8, 9, 10));
    }

    @Test
    void shouldAcceptAnEmptyHistory() {
        accept();
    }

    @Test
    void shouldRefuseAStaleRead() {
        assertThat(refuse(write(1, 7, 1, 2), read(2, 0, 3, 4))).contains("no order explains register 0");
        refuse(write(1, 7, 1, 2), write(1, 8, 3, 4), read(2, 7, 5, 6));
    }

    @Test
    void shouldAcceptEitherValueWhileAWriteRuns() {
        accept(write(1, 7, 1, 10), read(2, 0, 2, 3), read(2, 7, 4, 5));
        accept(write(1, 7, 1, 10), read(2, 0, 2, 9));
    }

    @Test
    void shouldRefuseToGoBackToTheOldValueWhileAWriteRuns() {
        refuse(write(1, 7, 1, 10), read(2, 7, 2, 3), read(2, 0, 4, 5));
        refuse(write(1, 7, 1, 10), read(2, 7, 2, 3), read(3, 0, 4, 5));
    }

    @Test
    void shouldRefuseReadersThatDisagreeOnTheOrderOfTwoWrites() {
        refuse(
                write(1, 7, 1, 20),
                write(2, 8, 1, 20),
                read(3, 7, 2, 3),
                read(3, 8, 4, 5),
                read(4, 8, 2, 3),
                read(4, 7, 6, 7));
        accept(
                write(1, 7, 1, 20),
                write(2, 8, 1, 20),
                read(3, 7, 2, 3),
                read(3, 8, 4, 5),
                read(4, 7, 2, 3),
                read(4, 8, 6, 7));
    }

    @Test
    void shouldRefuseAReadOfWhatNobodyWrote() {
        assertThat(refuse(write(1, 7, 1, 2), read(2, 9, 1, 2))).contains("which nobody wrote");
    }

    @Test
    void shouldRefuseAReadFromTheFuture() {
        refuse(read(2, 7, 1, 2), write(1, 7, 3, 4));
        refuse(read(2, 7, 1, 2), pending(1, 7, 3));
    }

    @Test
    void shouldTakeTouchingTimesForSimultaneous() {
        accept(write(1, 7, 1, 2), read(2, 0, 2, 3));
    }

    @Test
    void shouldLetAWriteOfUnknownOutcomeHappenAtAnyTimeOrNever() {
        accept(pending(1, 7, 1), read(2, 0, 2, 3), read(2, 0, 100, 101));
        accept(pending(1, 7, 1), read(2, 0, 2, 3), read(2, 7, 100, 101));
        accept(pending(1, 7, 1), write(2, 8, 2, 3), read(2, 8, 4, 5), read(2, 7, 6, 7));
    }

    @Test
    void shouldNotLetAWriteOfUnknownOutcomeHappenTwice() {
        refuse(pending(1, 7, 1), read(2, 7, 2, 3), write(2, 8, 4, 5), read(2, 8, 6, 7), read(2, 7, 8, 9));
        refuse(pending(1, 7, 1), read(2, 7, 2, 3), read(2, 0, 4, 5));
    }

    @Test
    void shouldLetOnlyUnconfirmedWritesBeUndone() {
        List<Operation> seenThenGone = List.of(
                write(1, 6, 1, 2),
                pending(1, 7, 3),
                read(2, 7, 4, 5),
                read(2, 6, 6, 7),
                write(2, 8, 8, 9),
                read(1, 8, 10, 11));
        assertThat(RegisterChecker.check(seenThenGone, Loss.NONE)).isPresent();
        assertThat(RegisterChecker.check(seenThenGone, Loss.UNCONFIRMED)).isEmpty();
        List<Operation> confirmedThenGone =
                List.of(write(1, 6, 1, 2), write(1, 7, 3, 4), read(2, 7, 5, 6), read(2, 6, 7, 8));
        assertThat(RegisterChecker.check(confirmedThenGone, Loss.UNCONFIRMED)).isPresent();
        List<Operation> backFromTheDead =
                List.of(write(1, 6, 1, 2), pending(1, 7, 3), read(2, 7, 4, 5), read(2, 6, 6, 7), read(2, 7, 8, 9));
        assertThat(RegisterChecker.check(backFromTheDead, Loss.UNCONFIRMED)).isPresent();
    }

    @Test
    void shouldUndoSeveralWritesInReverse() {
        List<Operation> history = List.of(
                write(1, 6, 1, 2),
                pending(1, 7, 3),
                read(2, 7, 4, 5),
                pending(1, 8, 6),
                read(2, 8, 7, 8),
                read(2, 6, 9, 10));
        assertThat(RegisterChecker.check(history, Loss.UNCONFIRMED)).isEmpty();
        assertThat(RegisterChecker.check(history, Loss.NONE)).isPresent();
    }

    @Test
    void shouldJudgeEachRegisterByItself() {
        Operation far = new Operation(2, Kind.READ, 4096, 0, 50, 51);
        accept(write(1, 7, 1, 2), read(2, 7, 3, 4), far);
        Operation wrong = new Operation(2, Kind.READ, 4096, 7, 50, 51);
        assertThat(refuse(write(1, 7, 1, 2), wrong)).contains("4096").contains("nobody wrote");
    }

    @Test
    void shouldInsistOnUniqueValues() {
        assertThatThrownBy(() -> refuse(write(1, 7, 1, 2), write(2, 7, 3, 4)))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void shouldAgreeWithAnExhaustiveSearch() {
        Random random = new Random(SEED);
        int accepted = 0;
        for (int round = 0; round < MODEL_ROUNDS; round++) {
            List<Operation> history = randomHistory(random);
            boolean expected = ExhaustiveSearch.explains(history);
            accepted += expected ? 1 : 0;
            assertThat(RegisterChecker.check(history, Loss.NONE).isEmpty())
                    .as("-Dtessera.seed=%d, round %d: %s", SEED, round, history)
                    .isEqualTo(expected);
        }
        assertThat(accepted).isBetween(MODEL_ROUNDS / 20, MODEL_ROUNDS * 19 / 20);
    }

    @Test
    void shouldJudgeLongHistories() {
        Random random = new Random(SEED);
        List<Operation> history = simulated(random, 40_000);
        assertThat(RegisterChecker.check(history, Loss.NONE))
                .as("-Dtessera.seed=%d", SEED)
                .isEmpty();
        int late = history.size() - 10;
        while (!history.get(late).isKnown()) {
            late--; // one that nobody knows the outcome of proves nothing
        }
        history.set(
                late, read(9, 1, history.get(late).beginNs(), history.get(late).endNs()));
        assertThat(RegisterChecker.check(history, Loss.NONE)).isPresent();
    }

    /** Up to seven operations of three processes, values and outcomes by chance. */
    private static List<Operation> randomHistory(Random random) {
        int writes = 1 + random.nextInt(3);
        List<Operation> history = new ArrayList<>();
        for (int value = 1; value <= writes; value++) {
            long begin = random.nextInt(12);
            boolean known = random.nextInt(4) > 0;
            history.add(write(value, value, begin, known ? begin + random.nextInt(5) : Operation.UNKNOWN));
        }
        int reads = 1 + random.nextInt(4);
        for (int i = 0; i < reads; i++) {
            long begin = random.nextInt(14);
            history.add(read(4 + i, random.nextInt(writes + 1), begin, begin + random.nextInt(5)));
        }
        return history;
    }

    /** What four processes see of a true register, each operation taking effect at some moment between its times. */
    private static List<Operation> simulated(Random random, int operations) {
        List<Operation> history = new ArrayList<>();
        long value = Operation.INITIAL;
        for (int i = 1; i <= operations; i++) {
            long moment = i * 10L;
            long begin = moment - random.nextInt(35);
            long end = moment + random.nextInt(35);
            int process = i % 4;
            if (random.nextBoolean()) {
                value = i;
                history.add(write(process, i, begin, random.nextInt(1000) == 0 ? Operation.UNKNOWN : end));
            } else {
                history.add(read(process, value, begin, end));
            }
        }
        return history;
    }
}
