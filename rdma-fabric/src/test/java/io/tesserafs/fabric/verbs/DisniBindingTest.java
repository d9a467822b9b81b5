package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.verbs.rdmacore.VerbsUnavailableException;
import org.junit.jupiter.api.RepeatedTest;

/** On hosts without DiSNI's native library, which is where tests run. */
class DisniBindingTest {
    /** Java says something else the second time. */
    @RepeatedTest(2)
    void shouldSayInOneLineThatTheLibraryIsMissing() {
        assertThatThrownBy(() -> VerbsBinding.open(VerbsBinding.Kind.DISNI))
                .isInstanceOf(VerbsUnavailableException.class)
                .hasMessageContaining("libdisni")
                .hasMessageContaining("java.library.path")
                .message()
                .doesNotContain("\n");
    }
}
