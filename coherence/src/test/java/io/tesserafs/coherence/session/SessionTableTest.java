package io.tesserafs.coherence.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.coherence.session.SessionTable.Session;
import io.tesserafs.fabric.brick.SessionId;
import java.util.List;
import org.junit.jupiter.api.Test;

class SessionTableTest {
    private static final SessionTerms TERMS = new SessionTerms(300, 40);
    private static final long MS = 1_000_000;
    private static final SessionId A = new SessionId(1);
    private static final SessionId B = new SessionId(2);

    private final SessionTable table = new SessionTable(TERMS);

    @Test
    void shouldExpireASessionOnceAndOnlyAfterTermAndMargin() {
        assertThat(table.open(A, 1, false, 1, 0)).isTrue();
        assertThat(table.expire(340 * MS)).isEmpty();
        assertThat(table.expire(340 * MS + 1)).extracting(Session::id).containsExactly(A);
        assertThat(table.expire(341 * MS)).isEmpty();
        assertThat(table.renew(A, 342 * MS)).isFalse();
    }

    @Test
    void shouldRefuseASessionThatIsTakenUpAgainButNotKnown() {
        assertThat(table.mayAttach(A, 1, 2)).isFalse();
        assertThat(table.open(A, 1, false, 2, 0)).isFalse();
        assertThat(table.find(A)).isNull();
    }

    @Test
    void shouldRefuseAnOpenThatCameLaterThanTheNextOne() {
        assertThat(table.open(A, 1, false, 1, 0)).isTrue();
        assertThat(table.open(A, 1, false, 3, 0)).isTrue();
        assertThat(table.mayAttach(A, 1, 2)).isFalse();
        assertThat(table.open(A, 1, false, 2, 0)).isFalse();
        assertThat(table.open(A, 1, false, 4, 0)).isTrue();
    }

    @Test
    void shouldRefuseASessionOfAnotherNode() {
        assertThat(table.open(A, 1, false, 1, 0)).isTrue();
        assertThat(table.mayAttach(A, 2, 2)).isFalse();
    }

    @Test
    void shouldNotTrustThatASessionIsOverBeforeItsLeaseIs() {
        table.open(A, 1, false, 1, 0);
        table.renew(A, 100 * MS);
        Session evicted = table.evict(A);
        assertThat(evicted).isNotNull();
        assertThat(table.believedForNs(evicted, 110 * MS)).isEqualTo(330 * MS);
        assertThat(table.believedForNs(evicted, 440 * MS)).isZero();
        assertThat(table.mayAttach(A, 1, 2)).isFalse();
    }

    @Test
    void shouldReplaceTheSessionsOfANodeThatBeginsAnother() {
        table.open(A, 1, false, 1, 0);
        List<Session> replaced = table.replacedBy(B, 1, false);
        assertThat(replaced).extracting(Session::id).containsExactly(A);
        assertThat(table.believedForNs(replaced.getFirst(), 0)).isPositive();
        assertThat(table.replacedBy(B, 1, true)).isEmpty();
        assertThat(table.believedForNs(replaced.getFirst(), 0)).isZero();
    }

    @Test
    void shouldWaitForEveryInheritedSessionWhetherItIsBackOrOver() {
        table.inherit(A, 1, 0);
        table.inherit(B, 2, 0);
        assertThat(table.isComplete()).isFalse();
        assertThat(table.open(A, 1, false, 7, 0)).isTrue();
        assertThat(table.isBack(A)).isFalse();
        assertThat(table.isBack(B)).isTrue();
        assertThat(table.isBack(B)).isFalse();
        assertThat(table.isComplete()).isTrue();
    }
}
