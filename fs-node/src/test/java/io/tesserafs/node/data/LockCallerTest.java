package io.tesserafs.node.data;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class LockCallerTest {
    @Test
    void shouldTellDescriptionLocksByTheCommand() {
        assertThat(LockCaller.isDescriptionLock("72 0x3 0x26 0x7ffc5b1f0 0x0 0x0 0x0 0x7ffc5b1e8 0x7f0b4a2"))
                .isTrue();
        assertThat(LockCaller.isDescriptionLock("72 0x26 0x7 0x7ffc5b1f0 0x0 0x0 0x0 0x7ffc5b1e8 0x7f0b4a2"))
                .isFalse();
        assertThat(LockCaller.isDescriptionLock("running\n")).isFalse();
        assertThat(LockCaller.isDescriptionLock("-1 0x7ffc5b1e8 0x7f0b4a2")).isFalse();
    }

    @Test
    void shouldNotGuessWhenTheThreadIsUnknown() {
        assertThat(LockCaller.isDescriptionLock(0)).isFalse();
        assertThat(LockCaller.isDescriptionLock(Integer.MAX_VALUE)).isFalse();
    }
}
