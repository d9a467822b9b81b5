package io.tesserafs.fabric.verbs.rdmacore;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.InputStream;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VerbsLayoutTest {
    @TempDir
    Path directory;

    @Test
    void shouldAgreeWithTheHeadersItWasWrittenFrom() throws Exception {
        try (InputStream golden = VerbsLayoutTest.class.getResourceAsStream("/verbs-layout.txt")) {
            assertThat(constants()).isEqualTo(parse(new String(golden.readAllBytes(), UTF_8)));
        }
    }

    @Test
    void shouldAgreeWithTheHeadersOfThisHost() throws Exception {
        assumeTrue(Files.exists(Path.of("/usr/include/infiniband/verbs.h")), "libibverbs-dev is not installed");
        assumeTrue(Files.exists(Path.of("/usr/include/rdma/rdma_cma.h")), "librdmacm-dev is not installed");
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/gcc")), "there is no C compiler");
        Path program = directory.resolve("layout");
        run("gcc", "-o", program.toString(), "src/test/c/verbs_layout.c");
        assertThat(constants()).isEqualTo(parse(run(program.toString())));
    }

    private static String run(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), UTF_8);
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).as(output).isZero();
        return output;
    }

    private static Map<String, Integer> parse(String text) {
        return text.lines()
                .map(line -> line.split("="))
                .collect(Collectors.toMap(pair -> pair[0], pair -> Integer.valueOf(pair[1])));
    }

    private static Map<String, Integer> constants() throws IllegalAccessException {
        Map<String, Integer> all = new TreeMap<>();
        for (Field field : VerbsLayout.class.getDeclaredFields()) {
            if (!field.isSynthetic()) {
                all.put(field.getName(), field.getInt(null));
            }
        }
        return all;
    }
}
