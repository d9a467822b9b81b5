package io.tesserafs.fuse.mount;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MountGuardTest {
    @TempDir
    Path directory;

    @Test
    void shouldLeaveTheConnectionAloneWhenTheMountHasEnded() throws Exception {
        Path abort = abortFile();
        MountGuard guard = MountGuard.start(abort);
        guard.close();
        awaitEnd(guard);
        assertThat(abort).isEmptyFile();
    }

    @Test
    void shouldAbortTheConnectionWhenTheThreadThatStartedItDies() throws Exception {
        Path abort = abortFile();
        // A signal that comes before the shell has its trap kills it without a word: then another guard is tried.
        for (int tries = 0; Files.size(abort) == 0 && tries < 100; tries++) {
            MountGuard guard = MountGuard.start(abort);
            guard.process().waitFor(50, TimeUnit.MILLISECONDS);
            guard.process().destroy(); // SIGTERM, what PR_SET_PDEATHSIG sends
            awaitEnd(guard);
        }
        assertThat(abort).hasContent("1");
    }

    @Test
    void shouldAbortTheConnectionWhenItsPipeClosesWithoutAWord() throws Exception {
        Path abort = abortFile();
        MountGuard guard = MountGuard.start(abort);
        guard.process().getOutputStream().close();
        awaitEnd(guard);
        assertThat(abort).hasContent("1");
    }

    @Test
    void shouldSaySoWhenItCannotAbort() {
        assertThatThrownBy(() -> MountGuard.start(directory.resolve("nothing")))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("cannot be written");
    }

    private Path abortFile() throws IOException {
        return Files.createFile(directory.resolve("abort"));
    }

    private static void awaitEnd(MountGuard guard) throws InterruptedException {
        assertThat(guard.process().waitFor(30, TimeUnit.SECONDS)).isTrue();
    }
}
