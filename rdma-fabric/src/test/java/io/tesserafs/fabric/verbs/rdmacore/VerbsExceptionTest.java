package io.tesserafs.fabric.verbs.rdmacore;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.junit.jupiter.api.Test;

class VerbsExceptionTest {
    private static final int EACCES = 13;

    @Test
    void shouldNameTheLimitThatALackOfMemoryMayComeOf() {
        VerbsException failure = new VerbsException("ibv_reg_mr", Errors.ENOMEM);
        assertThat(failure)
                .hasMessageStartingWith("ibv_reg_mr: ")
                .hasMessageContaining("(errno 12)")
                .hasMessageContaining("LimitMEMLOCK")
                .hasMessageContaining("ulimit -l");
        assertThat(VerbsException.isOutOfMemory(new IOException("around it", failure)))
                .isTrue();
    }

    @Test
    void shouldSayNothingOfMemoryWhereItIsNotShort() {
        VerbsException failure = new VerbsException("ibv_reg_mr", EACCES);
        assertThat(failure.getMessage()).doesNotContain("LimitMEMLOCK").endsWith("(errno 13)");
        assertThat(VerbsException.isOutOfMemory(failure)).isFalse();
        assertThat(VerbsException.isOutOfMemory(new IOException("without a cause")))
                .isFalse();
    }
}
