package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Runs programs with a time limit. A process that waits in a hung mount cannot be killed; so when the limit is reached, first what
 * {@code onTimeout} does (abort the connections of the mounts under test), then the process is killed.
 */
final class Command {
    static final Duration DEFAULT_LIMIT = Duration.ofSeconds(60);

    private static final Duration KILL_LIMIT = Duration.ofSeconds(20);

    private final Runnable onTimeout;
    private final Path scratch;

    /** @param scratch a directory outside of any mount, for the outputs */
    Command(Path scratch, Runnable onTimeout) {
        this.scratch = scratch;
        this.onTimeout = onTimeout;
    }

    /** What a program printed (standard output and error together) and how it ended. */
    record Result(List<String> command, int status, String output) {
        Result expectSuccess() {
            assertThat(status)
                    .as(() -> "exit status of " + String.join(" ", command) + "\n" + output)
                    .isZero();
            return this;
        }

        Result expectFailure() {
            assertThat(status)
                    .as(() -> "exit status of " + String.join(" ", command) + "\n" + output)
                    .isNotZero();
            return this;
        }
    }

    /** A program that runs beside the test. */
    final class Running {
        private final List<String> command;
        private final Process process;
        private final Path output;

        private Running(List<String> command, Process process, Path output) {
            this.command = command;
            this.process = process;
            this.output = output;
        }

        boolean runs() {
            return process.isAlive();
        }

        long pid() {
            return process.pid();
        }

        /** SIGTERM; it may take its time. */
        void terminate() {
            process.destroy();
        }

        /** Kills it. */
        void end() {
            process.destroyForcibly();
            await(KILL_LIMIT);
        }

        /** Waits for its end. */
        Result await(Duration limit) {
            try {
                if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
                    onTimeout.run();
                    process.destroyForcibly();
                    boolean ended = process.waitFor(KILL_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
                    throw new AssertionError(String.join(" ", command) + "\ndid not end in " + limit.toSeconds() + " s"
                            + (ended ? "" : ", and SIGKILL did not end it") + "; it printed:\n" + text());
                }
                String text = text();
                Files.delete(output);
                return new Result(command, process.exitValue(), text);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            } catch (InterruptedException e) {
                process.destroyForcibly();
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted", e);
            }
        }

        private String text() throws IOException {
            return new String(Files.readAllBytes(output), StandardCharsets.ISO_8859_1);
        }
    }

    Running start(Path directory, String... command) {
        try {
            Path output = Files.createTempFile(scratch, "output", ".txt");
            Process process = new ProcessBuilder(command)
                    .directory(directory.toFile())
                    .redirectErrorStream(true)
                    .redirectInput(Path.of("/dev/null").toFile())
                    .redirectOutput(output.toFile())
                    .start();
            return new Running(List.of(command), process, output);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    Result run(Duration limit, Path directory, String... command) {
        return start(directory, command).await(limit);
    }

    /** A shell script that stops at the first failing command; {@code $0}.. are the arguments. */
    Result shell(Duration limit, Path directory, String script) {
        return run(limit, directory, "bash", "-euo", "pipefail", "-c", script);
    }
}
