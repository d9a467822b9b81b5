package io.tesserafs.node.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.node.config.NodeConfig.PoolConfig;
import io.tesserafs.node.config.NodeConfig.VerbsConfig;
import io.tesserafs.node.config.NodeConfig.VerbsConfig.Binding;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NodeConfigReaderTest {
    private static final String MINIMAL = "node: 3\nstate: /srv/t\n";

    @Test
    void shouldFillInDefaults() throws Exception {
        NodeConfig config = NodeConfigReader.parse(MINIMAL, "f");
        assertThat(config.nodeId()).isEqualTo(3);
        assertThat(config.pool().path()).isEqualTo(Path.of("/srv/t/pool"));
        assertThat(config.pool().size()).isEqualTo(new Size(4L << 30));
        assertThat(config.coordination().connect()).isEmpty();
        assertThat(config.coordination().dataDir()).isEqualTo(Path.of("/srv/t/zookeeper"));
        assertThat(config.coordination().leaseTerm()).isEqualTo(Duration.ofSeconds(7));
        assertThat(config.admin().socket()).isEqualTo(Path.of("/srv/t/admin.sock"));
        assertThat(config.log().file()).isEmpty();
        assertThat(config.mounts()).isEmpty();
    }

    @Test
    void shouldKnowTheBindingsOfVerbs() throws Exception {
        NodeConfig config = NodeConfigReader.parse(MINIMAL, "f");
        assertThat(config.fabric().verbs()).isEqualTo(new VerbsConfig(Binding.RDMA_CORE, true));
        config = NodeConfigReader.parse(MINIMAL + "fabric: {verbs: {binding: disni, calls: false}}\n", "f");
        assertThat(config.fabric().verbs()).isEqualTo(new VerbsConfig(Binding.DISNI, false));
        assertThatThrownBy(() -> NodeConfigReader.parse(MINIMAL + "fabric: {verbs: {binding: iwarp}}\n", "f"))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining("fabric.verbs.binding must be rdma-core or disni, not 'iwarp'");
    }

    @Test
    void shouldBoundTheTermOfLeases() throws Exception {
        NodeConfig config = NodeConfigReader.parse(MINIMAL + "coordination: {leaseTerm: 30s}\n", "f");
        assertThat(config.coordination().leaseTerm()).isEqualTo(Duration.ofSeconds(30));
        for (String outside : List.of("6999ms", "30001ms")) {
            assertThatThrownBy(
                            () -> NodeConfigReader.parse(MINIMAL + "coordination: {leaseTerm: " + outside + "}\n", "f"))
                    .isInstanceOf(ConfigException.class)
                    .hasMessageContaining("coordination.leaseTerm must be from 7s to 30s");
        }
    }

    @Test
    void shouldResolvePathsAgainstTheStateDirectory() throws Exception {
        NodeConfig config = NodeConfigReader.parse(
                MINIMAL + "mounts:\n  - path: mnt\n  - {volume: two, path: /mnt/two, cacheTimeout: 250ms}\n", "f");
        assertThat(config.mounts()).hasSize(2);
        assertThat(config.mounts().getFirst().path()).isEqualTo(Path.of("/srv/t/mnt"));
        assertThat(config.mounts().getFirst().volume()).isEqualTo("main");
        assertThat(config.mounts().getLast().cacheTimeout()).isEqualTo(Duration.ofMillis(250));
    }

    @Test
    void shouldNameUnknownKeyWithItsLineAndTheKnownOnes() {
        assertThatThrownBy(() -> NodeConfigReader.parse(MINIMAL + "pool:\n  sise: 4G\n", "node.yaml"))
                .isInstanceOf(ConfigException.class)
                .hasMessageStartingWith("node.yaml:4: unknown key 'sise'")
                .hasMessageContaining("path, size");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "node: 3                                                | state",
                "state: /srv                                            | node",
                "node: 0\\nstate: /srv                                  | from 1 to 65535",
                "node: x\\nstate: /srv                                  | :1: node",
                "node: 1\\nnode: 2\\nstate: /srv                        | :2: ",
                "node: 1\\nstate: srv                                   | absolute",
                "node: 1\\nstate: /srv\\npool: {size: 4Q}               | :3: pool.size: '4Q' is not a size",
                "node: 1\\nstate: /srv\\npool: {size: 1M}               | too small",
                "node: 1\\nstate: /srv\\nshutdownTimeout: 5             | :3: shutdownTimeout: '5' is not a duration",
                "node: 1\\nstate: /srv\\nmounts: [{volume: a/b, path: m}] | not a volume name",
                "node: 1\\nstate: /srv\\nmounts: [{path: m},{volume: b, path: m}] | same path",
                "node: 1\\nstate: /srv\\nmounts: [{path: m},{path: n}]  | listed twice",
                "node: 1\\nstate: /srv\\nlog: {level: LOUD}             | log.level",
                "node: [                                                | f",
                "'- a'                                                  | f"
            })
    void shouldRefuseWithOneLineThatSaysWhere(String yaml, String expected) {
        assertThatThrownBy(() -> NodeConfigReader.parse(yaml.replace("\\n", "\n"), "f"))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining(expected.strip())
                .message()
                .doesNotContain("\n")
                .startsWith("f:");
    }

    @Test
    void shouldRefuseEmptyFile() {
        assertThatThrownBy(() -> NodeConfigReader.parse("", "f")).isInstanceOf(ConfigException.class);
        assertThatThrownBy(() -> NodeConfigReader.parse("# only words\n", "f")).isInstanceOf(ConfigException.class);
    }

    @Test
    void shouldRefuseSocketPathThatNoSocketCanHave() {
        assertThatThrownBy(() -> NodeConfigReader.parse("node: 1\nstate: /" + "x".repeat(120) + "\n", "f"))
                .hasMessageContaining("too long a path");
    }

    @Test
    void shouldReadBackWhatUpWrites(@TempDir Path dir) throws Exception {
        Path odd = dir.resolve("o\"d: {d} \\#1\té");
        Files.createDirectory(odd);
        Path file = odd.resolve("node.yaml");
        NodeConfigWriter.write(
                file,
                7,
                odd,
                new PoolConfig(odd.resolve("p"), new Size(1L << 30)),
                odd.resolve("mnt"),
                new NodeConfigWriter.Local(0, true, Path.of("/tmp/secret")));
        NodeConfig config = NodeConfigReader.read(file);
        assertThat(config.nodeId()).isEqualTo(7);
        assertThat(config.stateDir()).isEqualTo(odd);
        assertThat(config.pool()).isEqualTo(new PoolConfig(odd.resolve("p"), new Size(1L << 30)));
        assertThat(config.mounts().getFirst().path()).isEqualTo(odd.resolve("mnt"));
        assertThat(config.log().file()).contains(odd.resolve("log/tesserad.log"));
    }

    @Test
    void shouldAcceptTheDocumentedExampleWithEveryKey() throws Exception {
        Path example = Path.of("..", "deploy", "tesserad.example.yaml");
        NodeConfig config = NodeConfigReader.read(example);
        assertThat(config.mounts()).isNotEmpty();
        String text = Files.readString(example);
        for (Class<?> section : NodeYaml.class.getDeclaredClasses()) {
            for (var key : section.getRecordComponents()) {
                assertThat(text).contains(key.getName() + ":");
            }
        }
        for (var key : NodeYaml.class.getRecordComponents()) {
            assertThat(text).contains("\n" + key.getName() + ":");
        }
    }
}
