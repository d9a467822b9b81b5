package io.tesserafs.node.daemon;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MountSourceTest {
    @ParameterizedTest
    @ValueSource(strings = {"/srv/t/node1", "/a b/c,d/e\\f", "/100%/x+y@z", "/é/\t"})
    void shouldSurviveMountOptions(String directory) {
        MountSource source = new MountSource("main", Path.of(directory));
        assertThat(source.toString()).doesNotContainPattern("[\\s,\\\\]");
        assertThat(MountSource.parse(source.toString())).contains(source);
    }

    @Test
    void shouldLeaveOrdinaryPathsReadable() {
        assertThat(new MountSource("main", Path.of("/srv/t-1/node1"))).hasToString("main@/srv/t-1/node1");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "main", "@/x", "main@", "main@relative", "tmpfs"})
    void shouldNotUnderstandOthers(String source) {
        assertThat(MountSource.parse(source)).isEmpty();
    }
}
