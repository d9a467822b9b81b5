package io.tesserafs.node.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.coherence.token.Resource;
import io.tesserafs.coherence.token.TokenTable.Awaited;
import io.tesserafs.fabric.brick.SessionId;
import java.util.List;
import org.junit.jupiter.api.Test;

class RecallWatchTest {
    private static final SessionId HOLDER = new SessionId(7);
    private static final Awaited WHOLE = new Awaited(HOLDER, new Resource(3, Resource.Kind.DATA), 0, 1 << 20, 5);
    private static final Awaited REST = new Awaited(HOLDER, new Resource(3, Resource.Kind.DATA), 4096, 1 << 20, 5);

    private final RecallWatch watch = new RecallWatch(100);

    @Test
    void shouldNameWhoHoldsBackForLongerThanTheLimit() {
        assertThat(watch.overdue(List.of(WHOLE), 1000)).isEmpty();
        assertThat(watch.overdue(List.of(WHOLE), 1100)).isEmpty();
        assertThat(watch.overdue(List.of(WHOLE), 1101)).containsExactly(HOLDER);
    }

    @Test
    void shouldTakeAPartThatComesBackForProgress() {
        assertThat(watch.overdue(List.of(WHOLE), 1000)).isEmpty();
        assertThat(watch.overdue(List.of(REST), 1090)).isEmpty();
        assertThat(watch.overdue(List.of(REST), 1150)).isEmpty();
        assertThat(watch.overdue(List.of(REST), 1191)).containsExactly(HOLDER);
    }

    @Test
    void shouldForgetWhatIsNotAwaitedAnyMore() {
        assertThat(watch.overdue(List.of(WHOLE), 1000)).isEmpty();
        assertThat(watch.overdue(List.of(), 1050)).isEmpty();
        assertThat(watch.overdue(List.of(WHOLE), 1200)).isEmpty();
    }
}
