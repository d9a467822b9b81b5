package io.tesserafs.coherence.membership;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class SessionTimeoutTest {
    @Test
    void shouldRefuseServersThatDropNodesSoonerThanOwnersCountOn() {
        assertThatThrownBy(() -> ClusterClient.judgeTimeout(4000, 3999))
                .isInstanceOf(MembershipException.class)
                .hasMessageContaining("maxSessionTimeout");
        assertThatThrownBy(() -> ClusterClient.judgeTimeout(60_000, 2000)).isInstanceOf(MembershipException.class);
    }

    @Test
    void shouldAcceptWhatWasAskedForAndMore() {
        assertThatCode(() -> ClusterClient.judgeTimeout(4000, 4000)).doesNotThrowAnyException();
        assertThatCode(() -> ClusterClient.judgeTimeout(4000, 60_000)).doesNotThrowAnyException();
        assertThatCode(() -> ClusterClient.judgeTimeout(500, 500)).doesNotThrowAnyException();
    }
}
