package io.tesserafs.coherence.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class TokenTableTest {
    private static final SessionId A = new SessionId(1);
    private static final SessionId B = new SessionId(2);
    private static final SessionId C = new SessionId(3);
    private static final Resource FILE = Resource.data(1);
    private static final long END = FileTokens.TO_END;
    private static final long PAGE = 4096;
    private static final long EXTENT = 2 << 20;

    private record Sent(SessionId to, TokenMessage.ToNode message) {}

    private final List<Sent> sent = new ArrayList<>();
    private final TokenTable table = new TokenTable((to, message) -> sent.add(new Sent(to, message)));
    private long lastId;

    private List<Sent> request(SessionId from, long fromByte, long toByte, Mode mode) {
        sent.clear();
        table.receive(from, new TokenMessage.Request(FILE, fromByte, toByte, mode, ++lastId));
        return List.copyOf(sent);
    }

    private List<Sent> release(SessionId from, long fromByte, long toByte, Mode keep, long seen) {
        sent.clear();
        table.receive(from, new TokenMessage.Release(FILE, fromByte, toByte, keep, seen));
        return List.copyOf(sent);
    }

    private static Sent grant(SessionId to, long from, long until, Mode mode, long sequence, long id) {
        return new Sent(to, new TokenMessage.Grant(FILE, from, until, mode, sequence, id));
    }

    private static Sent recall(SessionId to, long from, long until, Mode keep) {
        return new Sent(to, new TokenMessage.Recall(FILE, from, until, keep));
    }

    @Test
    void shouldWidenAnUncontendedGrantToTheWholeFile() {
        assertThat(request(A, 0, PAGE, Mode.EXCLUSIVE)).containsExactly(grant(A, 0, END, Mode.EXCLUSIVE, 1, 1));
    }

    @Test
    void shouldShareAmongReadersAndRecallThemAllForAWriter() {
        request(A, 0, PAGE, Mode.SHARED);
        assertThat(request(B, 0, PAGE, Mode.SHARED)).containsExactly(grant(B, 0, END, Mode.SHARED, 2, 2));
        assertThat(request(C, 0, PAGE, Mode.EXCLUSIVE))
                .containsExactlyInAnyOrder(recall(A, 0, PAGE, null), recall(B, 0, PAGE, null));
        assertThat(release(A, 0, PAGE, null, 1)).isEmpty();
        // Narrowed: the readers keep the rest of the file, and of the extent.
        assertThat(release(B, 0, PAGE, null, 2)).containsExactly(grant(C, 0, PAGE, Mode.EXCLUSIVE, 3, 3));
        assertThat(table.held(A, FILE, PAGE, END)).isEqualTo(Mode.SHARED);
    }

    @Test
    void shouldSayWhoHoldsBackWhatOthersWaitFor() {
        request(A, 0, PAGE, Mode.EXCLUSIVE);
        assertThat(table.awaited()).isEmpty();
        request(B, PAGE, 2 * PAGE, Mode.EXCLUSIVE);
        assertThat(table.awaited()).containsExactly(new TokenTable.Awaited(A, FILE, 0, END, 1));
        release(A, 8 * PAGE, END, null, 1);
        assertThat(table.awaited()).containsExactly(new TokenTable.Awaited(A, FILE, 0, 8 * PAGE, 1));
        release(A, PAGE, 8 * PAGE, null, 1);
        assertThat(table.awaited()).isEmpty();
    }

    @Test
    void shouldWidenToTheExtentWhenOthersAreElsewhereInTheFile() {
        request(A, 0, PAGE, Mode.EXCLUSIVE);
        request(B, 3 * EXTENT, 3 * EXTENT + PAGE, Mode.EXCLUSIVE);
        release(A, EXTENT, END, null, 1);
        assertThat(table.held(B, FILE, 3 * EXTENT, 4 * EXTENT)).isEqualTo(Mode.EXCLUSIVE);
        assertThat(table.held(B, FILE, 2 * EXTENT, 3 * EXTENT)).isNull();
    }

    @Test
    void shouldAskAWriterOnlyToLowerItsModeForAReader() {
        request(A, 0, PAGE, Mode.EXCLUSIVE);
        assertThat(request(B, 0, PAGE, Mode.SHARED)).containsExactly(recall(A, 0, PAGE, Mode.SHARED));
        assertThat(release(A, 0, PAGE, Mode.SHARED, 1)).containsExactly(grant(B, 0, PAGE, Mode.SHARED, 2, 2));
        assertThat(table.held(A, FILE, 0, PAGE)).isEqualTo(Mode.SHARED);
        assertThat(table.held(A, FILE, PAGE, END)).isEqualTo(Mode.EXCLUSIVE);
    }

    @Test
    void shouldAskForMoreAndMoreThatIsUnusedWhenAReaderGoesOn() {
        request(A, 0, PAGE, Mode.EXCLUSIVE);
        for (int page = 0; page < 2; page++) {
            assertThat(request(B, page * PAGE, (page + 1) * PAGE, Mode.SHARED)).hasSize(1);
            release(A, page * PAGE, (page + 1) * PAGE, Mode.SHARED, 1);
        }
        assertThat(request(B, 2 * PAGE, 3 * PAGE, Mode.SHARED))
                .containsExactly(
                        recall(A, 2 * PAGE, 3 * PAGE, Mode.SHARED),
                        new Sent(A, new TokenMessage.Yield(FILE, 0, 4 * PAGE, Mode.SHARED)));
        // What is given up without being waited for is granted with what comes next.
        release(A, 3 * PAGE, 4 * PAGE, Mode.SHARED, 1);
        assertThat(release(A, 2 * PAGE, 3 * PAGE, Mode.SHARED, 1))
                .containsExactly(grant(B, 0, 4 * PAGE, Mode.SHARED, 4, 4));
    }

    @Test
    void shouldWaitOnlyForWhatIsWantedNotForWhatMightBe() {
        request(A, 0, PAGE, Mode.EXCLUSIVE);
        for (int page = 0; page < 2; page++) {
            request(B, page * PAGE, (page + 1) * PAGE, Mode.SHARED);
            release(A, page * PAGE, (page + 1) * PAGE, Mode.SHARED, 1);
        }
        request(B, 2 * PAGE, 3 * PAGE, Mode.SHARED);
        assertThat(release(A, 2 * PAGE, 3 * PAGE, Mode.SHARED, 1)).hasSize(1);
        assertThat(table.awaited()).isEmpty();
        assertThat(table.held(A, FILE, 3 * PAGE, END)).isEqualTo(Mode.EXCLUSIVE);
        assertThat(table.held(B, FILE, 0, 3 * PAGE)).isEqualTo(Mode.SHARED);
    }

    @Test
    void shouldGrantInOrderOfArrivalAndRecallForEveryWaiterAtOnce() {
        request(A, 0, 4 * PAGE, Mode.EXCLUSIVE);
        assertThat(request(B, 0, PAGE, Mode.EXCLUSIVE)).containsExactly(recall(A, 0, PAGE, null));
        assertThat(request(C, 0, 2 * PAGE, Mode.EXCLUSIVE)).containsExactly(recall(A, 0, 2 * PAGE, null));
        // B's turn; C recalls from B in the same breath.
        assertThat(release(A, 0, 2 * PAGE, null, 1))
                .containsExactly(grant(B, 0, PAGE, Mode.EXCLUSIVE, 2, 2), recall(B, 0, PAGE, null));
        assertThat(release(B, 0, PAGE, null, 2)).containsExactly(grant(C, 0, 2 * PAGE, Mode.EXCLUSIVE, 3, 3));
    }

    @Test
    void shouldNotLetAReaderOvertakeAWriterThatWaits() {
        request(A, 0, PAGE, Mode.SHARED);
        request(B, 0, PAGE, Mode.EXCLUSIVE);
        assertThat(request(C, 0, PAGE, Mode.SHARED)).isEmpty();
        assertThat(request(C, PAGE, 2 * PAGE, Mode.SHARED)).hasSize(1);
    }

    @Test
    void shouldMergeNeighboursOfOneHolderAndMode() {
        request(A, 0, PAGE, Mode.EXCLUSIVE);
        request(B, 0, PAGE, Mode.EXCLUSIVE);
        release(A, 0, PAGE, null, 1);
        request(B, PAGE, 2 * PAGE, Mode.EXCLUSIVE);
        assertThat(release(A, PAGE, 2 * PAGE, null, 1)).containsExactly(grant(B, 0, 2 * PAGE, Mode.EXCLUSIVE, 3, 3));
    }

    @Test
    void shouldNotApplyAReleaseToWhatWasGrantedAfterIt() {
        request(A, 0, PAGE, Mode.SHARED);
        request(A, 0, PAGE, Mode.EXCLUSIVE);
        release(A, 0, END, null, 1); // sent before the second grant arrived
        assertThat(table.held(A, FILE, 0, END)).isEqualTo(Mode.EXCLUSIVE);
        release(A, 0, END, null, 2);
        assertThat(table.resourceCount()).isZero();
    }

    @Test
    void shouldUpgradeInPlaceAndLeaveStrongerPartsAlone() {
        request(A, 0, PAGE, Mode.EXCLUSIVE);
        assertThat(request(A, 0, PAGE, Mode.SHARED)).containsExactly(grant(A, 0, END, Mode.EXCLUSIVE, 2, 2));
        release(A, PAGE, END, null, 2);
        assertThat(request(A, 0, 2 * PAGE, Mode.SHARED)).containsExactly(grant(A, PAGE, END, Mode.SHARED, 3, 3));
        assertThat(table.held(A, FILE, 0, PAGE)).isEqualTo(Mode.EXCLUSIVE);
    }

    @Test
    void shouldPassOnWhatAnEndedSessionHeldAndForgetWhatItWaitedFor() {
        request(A, 0, PAGE, Mode.EXCLUSIVE);
        request(B, 0, PAGE, Mode.EXCLUSIVE);
        request(C, 0, PAGE, Mode.EXCLUSIVE);
        sent.clear();
        table.endSession(B);
        assertThat(sent).isEmpty();
        table.endSession(A);
        assertThat(sent).containsExactly(grant(C, 0, END, Mode.EXCLUSIVE, 2, 3));
        table.endSession(C);
        assertThat(table.resourceCount()).isZero();
    }

    @Test
    void shouldRefuseAnEmptyRange() {
        assertThatThrownBy(() -> request(A, PAGE, PAGE, Mode.SHARED)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void shouldRefuseIllegalMovesOfATokensState() {
        assertThat(TokenState.NONE.become(TokenState.REQUESTED)).isEqualTo(TokenState.REQUESTED);
        assertThatThrownBy(() -> TokenState.FENCED.become(TokenState.HELD)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> TokenState.NONE.become(TokenState.HELD)).isInstanceOf(IllegalStateException.class);
    }

    private List<Sent> sweep(Runnable onDone) {
        sent.clear();
        table.recall(FILE.inode(), onDone);
        return List.copyOf(sent);
    }

    @Test
    void shouldRecallEverythingThatIsHeldWhenAnOperatorWants() {
        List<String> done = new ArrayList<>();
        request(A, 0, PAGE, Mode.SHARED);
        request(B, 0, PAGE, Mode.SHARED);
        assertThat(sweep(() -> done.add("done")))
                .containsExactlyInAnyOrder(recall(A, 0, END, null), recall(B, 0, END, null));
        release(A, 0, END, null, 1);
        release(B, 0, PAGE, null, 2);
        assertThat(done).isEmpty();
        release(B, PAGE, END, null, 2);
        assertThat(done).containsExactly("done");
        assertThat(table.resourceCount()).isZero();
    }

    @Test
    void shouldGrantToOthersWhileAnOperatorsRecallIsUnderWay() {
        List<String> done = new ArrayList<>();
        request(A, 0, PAGE, Mode.SHARED);
        sweep(() -> done.add("done"));
        assertThat(request(C, 0, PAGE, Mode.SHARED)).hasSize(1);
        release(A, 0, END, null, 1);
        assertThat(done).containsExactly("done");
        assertThat(table.held(C, FILE, 0, PAGE)).isEqualTo(Mode.SHARED);
    }

    @Test
    void shouldNotTakeABetterTokenForOneThatWasReleased() {
        List<String> done = new ArrayList<>();
        request(A, 0, PAGE, Mode.SHARED);
        sweep(() -> done.add("done"));
        assertThat(request(A, 0, PAGE, Mode.EXCLUSIVE)).contains(recall(A, 0, END, null));
        assertThat(done).isEmpty();
        release(A, 0, END, null, 2);
        assertThat(done).containsExactly("done");
    }

    @Test
    void shouldRecallAgainFromWhoComesBackHoldingIt() {
        List<String> done = new ArrayList<>();
        request(A, 0, PAGE, Mode.EXCLUSIVE);
        sweep(() -> done.add("done"));
        sent.clear();
        table.reattach(A, List.of(new TokenMessage.Held(FILE, 0, END, Mode.EXCLUSIVE)));
        assertThat(sent).containsExactly(recall(A, 0, END, null));
        assertThat(done).isEmpty();
        table.endSession(A);
        assertThat(done).containsExactly("done");
    }

    @Test
    void shouldBeDoneAtOnceIfNobodyHoldsAnything() {
        List<String> done = new ArrayList<>();
        assertThat(sweep(() -> done.add("done"))).isEmpty();
        assertThat(done).containsExactly("done");
    }

    @Test
    void shouldListWhatIsHeldAndWhoWaits() {
        request(A, 0, PAGE, Mode.EXCLUSIVE);
        request(B, 0, PAGE, Mode.SHARED);
        assertThat(table.entriesOf(FILE.inode()))
                .containsExactly(
                        new TokenTable.Entry(A, FILE, 0, END, Mode.EXCLUSIVE, false),
                        new TokenTable.Entry(B, FILE, 0, PAGE, Mode.SHARED, true));
        assertThat(table.entries(1)).hasSize(1);
        assertThat(table.entriesOf(99)).isEmpty();
    }
}
