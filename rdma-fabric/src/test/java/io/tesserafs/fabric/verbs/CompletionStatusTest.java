package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThat;

import com.ibm.disni.verbs.IbvWC.IbvWcStatus;
import org.junit.jupiter.api.Test;

class CompletionStatusTest {
    @Test
    void shouldNameWhatIsKnownAndNumberTheRest() {
        assertThat(CompletionStatus.describe(10)).isEqualTo("IBV_WC_REM_ACCESS_ERR");
        assertThat(CompletionStatus.is(10, IbvWcStatus.IBV_WC_REM_ACCESS_ERR)).isTrue();
        assertThat(CompletionStatus.is(5, IbvWcStatus.IBV_WC_REM_ACCESS_ERR)).isFalse();
        assertThat(CompletionStatus.describe(77)).isEqualTo("status 77");
    }

    @Test
    void shouldSayOfAWireWhyItEndedWhateverTheCode() {
        assertThat(MessageSender.describe(5)).isEqualTo("closed by the peer");
        assertThat(MessageSender.describe(12)).startsWith("the peer's device does not answer");
        assertThat(MessageSender.describe(77)).isEqualTo("the queue pair failed (status 77)");
    }
}
