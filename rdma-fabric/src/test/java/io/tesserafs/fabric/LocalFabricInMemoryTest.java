package io.tesserafs.fabric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickInfo;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.io.TempDirFactory;

/** The same on tmpfs, where there is nothing to flush and blocks are populated ahead of use. */
class LocalFabricInMemoryTest extends LocalFabricTest {
    private static final Path TMPFS = Path.of("/dev/shm");

    @TempDir(factory = OnTmpfs.class)
    Path inMemory;

    static final class OnTmpfs implements TempDirFactory {
        @Override
        public Path createTempDirectory(
                org.junit.jupiter.api.extension.AnnotatedElementContext element,
                org.junit.jupiter.api.extension.ExtensionContext context)
                throws Exception {
            assumeTrue(Files.isWritable(TMPFS), "no tmpfs to test on");
            return Files.createTempDirectory(TMPFS, "tessera-test-");
        }
    }

    @Override
    Path poolDirectory() {
        return inMemory;
    }

    @Test
    void shouldSayThatNothingSurvivesTheHost() throws Exception {
        try (BrickClient client = fabric().connect(ID, SESSION)) {
            BrickInfo info = client.info();
            assertThat(info.persistence()).isEqualTo(BrickInfo.Persistence.NONE);
            assertThat(info.kind()).isEqualTo("tmpfs file");
            assertThat(info.survivesReboot()).isFalse();
            assertThat(info.blockingFlush()).isFalse();
            assertThat(info.zeroFaultCost()).isTrue();
        }
    }
}
