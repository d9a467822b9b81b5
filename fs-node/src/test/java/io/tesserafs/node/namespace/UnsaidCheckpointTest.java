package io.tesserafs.node.namespace;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.node.namespace.VolumeService.Creator;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A checkpoint is written, but the manifest does not come to name it, or nobody hears that it does. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class UnsaidCheckpointTest {
    @TempDir
    Path directory;

    private BrickNodes nodes;
    private VolumeOwner owner;

    @BeforeEach
    void start() throws Exception {
        nodes = new BrickNodes(directory, 2);
        owner = nodes.elect(1);
        nodes.awaitMirror(2);
        make("f");
    }

    @AfterEach
    void stop() {
        nodes.close();
    }

    private void make(String name) throws FsException {
        owner.create(
                VolumeService.ROOT,
                name.getBytes(StandardCharsets.UTF_8),
                InodeAttr.S_IFREG | 0644,
                0,
                null,
                new Creator(0, 0),
                nodes.now());
    }

    private void checkpointInVain() {
        int before = nodes.manifest.refused();
        owner.keeper().checkpointSoon();
        while (nodes.manifest.refused() == before) {
            Thread.onSpinWait();
        }
    }

    private void awaitCheckpoint(long last) throws IOException {
        while (nodes.manifest().checkpointBlock() == last) {
            Thread.onSpinWait();
        }
    }

    private void checkSound() throws Exception {
        assertThat(VolumeChecker.checkOnline(owner).problems()).isEmpty();
        nodes.down(1);
        owner = nodes.elect(2);
        assertThat(owner.lookup(VolumeService.ROOT, "f".getBytes(StandardCharsets.UTF_8)))
                .isNotNull();
        assertThat(owner.lookup(VolumeService.ROOT, "g".getBytes(StandardCharsets.UTF_8)))
                .isNotNull();
        assertThat(VolumeChecker.checkOnline(owner).problems()).isEmpty();
    }

    @Test
    void shouldBeOneHoweverOftenItsEntryFails() throws Exception {
        long last = nodes.manifest().checkpointBlock();
        nodes.manifest.away(true);
        long free = 0;
        for (int attempt = 0; attempt < 3; attempt++) {
            checkpointInVain();
            free = attempt == 0 ? nodes.brick(1).info().freeBlocks() : free;
        }
        assertThat(nodes.brick(1).info().freeBlocks()).isEqualTo(free);
        make("g");
        assertThat(VolumeChecker.checkOnline(owner).problems()).isEmpty();
        nodes.manifest.away(false);
        awaitCheckpoint(last);
        checkSound();
    }

    @Test
    void shouldBeUsedWhenItsEntryArrivedUnheard() throws Exception {
        nodes.manifest.loseAnswers(true);
        checkpointInVain();
        long entered = nodes.manifest().checkpointBlock();
        make("g");
        nodes.manifest.loseAnswers(false);
        int version = nodes.manifest.version();
        while (nodes.manifest.version() == version) { // it is said again
            Thread.onSpinWait();
        }
        assertThat(nodes.manifest().checkpointBlock()).isEqualTo(entered);
        checkSound();
    }
}
