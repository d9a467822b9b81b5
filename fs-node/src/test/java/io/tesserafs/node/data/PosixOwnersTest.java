package io.tesserafs.node.data;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.node.data.PosixOwners.FileOwner;
import org.junit.jupiter.api.Test;

class PosixOwnersTest {
    private final PosixOwners owners = new PosixOwners();

    @Test
    void shouldNameAProcessOnceAtItsFlush() {
        owners.locking(1, 10, 100);
        owners.locking(1, 10, 101);
        owners.locking(2, 10, 102);
        assertThat(owners.flushed(1, 11)).isFalse();
        assertThat(owners.flushed(1, 10)).isTrue();
        assertThat(owners.flushed(1, 10)).isFalse();
        assertThat(owners.released(100)).isEmpty();
        assertThat(owners.released(102)).containsExactly(new FileOwner(2, 10));
        assertThat(owners.count()).isZero();
    }

    /** The process has closed one of two handles and locked by the other since: that the first one goes away ends nothing. */
    @Test
    void shouldNotEndLocksTakenByAnotherHandleSince() {
        owners.locking(1, 10, 100);
        assertThat(owners.flushed(1, 10)).isTrue();
        owners.locking(1, 10, 101);
        assertThat(owners.released(100)).isEmpty();
        assertThat(owners.flushed(1, 10)).isTrue();
    }

    /** No flush names an open file description. */
    @Test
    void shouldNameDescriptionsAtTheReleaseOfTheirHandle() {
        owners.locking(1, 77, 100);
        owners.locking(1, 10, 100);
        assertThat(owners.flushed(1, 10)).isTrue();
        assertThat(owners.released(100)).containsExactly(new FileOwner(1, 77));
        assertThat(owners.released(100)).isEmpty();
    }

    /** A server that hands one descriptor to one child after the other. */
    @Test
    void shouldForgetProcessesThatComeAndGo() {
        for (long child = 0; child < 1000; child++) {
            owners.locking(1, child, 100);
            assertThat(owners.flushed(1, child)).isTrue();
        }
        assertThat(owners.count()).isZero();
        assertThat(owners.released(100)).isEmpty();
    }
}
