package io.tesserafs.fabric.pmem;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class PersistenceDomainTest {
    @Test
    void shouldTakeAnythingElseForUnknown() {
        assertThat(PersistenceDomain.parse("cpu_cache")).isEqualTo(PersistenceDomain.CPU_CACHE);
        assertThat(PersistenceDomain.parse("memory_controller")).isEqualTo(PersistenceDomain.MEMORY_CONTROLLER);
        assertThat(PersistenceDomain.parse("unknown")).isEqualTo(PersistenceDomain.UNKNOWN);
        assertThat(PersistenceDomain.parse("")).isEqualTo(PersistenceDomain.UNKNOWN);
    }

    @Test
    void shouldNotBeKnownWhereThereIsNoPersistentMemory() {
        assertThat(PersistenceDomain.above(Path.of("/sys/devices/system/cpu"))).isEqualTo(PersistenceDomain.UNKNOWN);
        assertThat(PersistenceDomain.above(Path.of("/sys/there/is/nothing"))).isEqualTo(PersistenceDomain.UNKNOWN);
    }
}
