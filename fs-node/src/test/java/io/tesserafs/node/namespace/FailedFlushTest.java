package io.tesserafs.node.namespace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fuse.Errno;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A device that cannot write the log: what was to be written then counts as durable for nobody. */
@Timeout(60)
class FailedFlushTest {
    @TempDir
    Path directory;

    @Test
    void shouldNotCallDurableWhatUpkeepCouldNotFlush() throws Exception {
        try (OwnerFixture volume = new OwnerFixture(directory)) {
            BlockId log = volume.owner.core().log.current().home().block();
            AtomicBoolean failed = new AtomicBoolean();
            CountDownLatch fails = new CountDownLatch(1);
            volume.client.beforeFlush(block -> {
                if (block.equals(log) && failed.compareAndSet(false, true)) {
                    fails.countDown();
                    throw new BrickException(BrickException.Reason.IO, "msync: EIO");
                }
            });
            volume.file(VolumeService.ROOT, "f");
            volume.owner.keeper().wake();
            fails.await();
            assertThatThrownBy(volume.owner::sync)
                    .isInstanceOfSatisfying(
                            FsException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EIO));
            assertThatThrownBy(() -> volume.file(VolumeService.ROOT, "g")).isInstanceOf(FsException.class);
        }
    }
}
