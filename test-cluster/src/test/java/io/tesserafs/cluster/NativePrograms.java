package io.tesserafs.cluster;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;

/** The C programs in {@code src/test/c}, compiled when a test needs one. */
final class NativePrograms {
    private static final Duration COMPILE_LIMIT = Duration.ofSeconds(60);
    /** By name. Guarded by the class. */
    private static final Map<String, String> COMPILED = new HashMap<>();

    private NativePrograms() {}

    static Path source(String program) {
        return TestDirectories.root().resolve("test-cluster/src/test/c").resolve(program + ".c");
    }

    /** The executable of {@code program}, linked with {@code libraries} (gcc options), the same each time. */
    static synchronized String compile(String program, String... libraries) {
        return COMPILED.computeIfAbsent(program, name -> build(name, libraries));
    }

    private static String build(String program, String... libraries) {
        Path source = source(program);
        Path binaries = Path.of("target", "native").toAbsolutePath();
        Path binary = binaries.resolve(program);
        try {
            Files.createDirectories(binaries);
            List<String> command = new ArrayList<>(
                    List.of("gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o", binary.toString()));
            command.add(source.toString());
            command.addAll(List.of(libraries));
            new Command(binaries, () -> {})
                    .run(COMPILE_LIMIT, binaries, command.toArray(String[]::new))
                    .expectSuccess();
            return binary.toString();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * The cases of a program, each a test: it lists them by {@code --list}, and runs one whose name comes last.
     *
     * @param limit of one case
     */
    static Stream<DynamicTest> cases(String name, TestCluster cluster, Duration limit, List<Path> directories) {
        String program = compile(name);
        return cluster.run(Command.DEFAULT_LIMIT, cluster.scratch(), program, "--list")
                .output()
                .lines()
                .map(test -> DynamicTest.dynamicTest(test, () -> {
                    List<String> command = new ArrayList<>(List.of(program));
                    directories.forEach(directory -> command.add(directory.toString()));
                    command.add(test);
                    cluster.run(limit, cluster.scratch(), command.toArray(String[]::new));
                }));
    }
}
