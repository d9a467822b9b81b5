package io.tesserafs.node.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.coherence.membership.ClusterClient;
import io.tesserafs.coherence.membership.ClusterConfig;
import io.tesserafs.coherence.membership.EmbeddedZooKeeper;
import io.tesserafs.coherence.membership.Incarnation;
import io.tesserafs.coherence.membership.NodeId;
import io.tesserafs.coherence.membership.NodeInfo;
import io.tesserafs.coherence.membership.NodeRegistry;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.node.config.ConfigException;
import io.tesserafs.node.config.NodeConfig.PoolConfig;
import io.tesserafs.node.config.NodeConfigReader;
import io.tesserafs.node.config.Size;
import io.tesserafs.node.daemon.ClusterSecret;
import io.tesserafs.node.host.Host;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Checks of a node. */
class NodeChecksTest {
    private static final PoolConfig NO_POOL = new PoolConfig(Path.of("/"), new Size(PoolConfig.MIN_BYTES));

    @TempDir
    Path dir;

    FakeHost fake;

    @BeforeEach
    void make() throws IOException {
        fake = new FakeHost(Files.createDirectory(dir.resolve("host")));
    }

    private Subject subject(String yaml) throws IOException, ConfigException {
        return subject(yaml, OptionalLong.empty());
    }

    private Subject subject(String yaml, OptionalLong pid) throws IOException, ConfigException {
        Path file = dir.resolve("node.yaml");
        Files.writeString(file, "node: 1\nstate: " + dir.resolve("state") + "\n" + yaml);
        return new Subject(NodeConfigReader.read(file), pid);
    }

    private Path pool() throws IOException {
        Path file = dir.resolve("pool");
        Pool.create(file, Pool.MIN_BYTES, "", 0);
        return file;
    }

    private PoolCheck pool(Path file, boolean rdma, PoolCheck.SyncMapping mapping) {
        return new PoolCheck(fake.host, new PoolConfig(file, NO_POOL.size()), rdma, mapping);
    }

    private FakeHost mount(String type, String source, String options) throws IOException {
        return fake.file(
                "/proc/self/mountinfo",
                "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n36 22 259:0 / " + dir.toRealPath() + " rw,relatime - " + type
                        + " " + source + " " + options);
    }

    @Test
    void shouldAcceptAWholePoolOnDisk() throws Exception {
        mount("ext4", "/dev/sdb1", "rw");
        List<Finding> findings = FakeHost.findings(pool(pool(), false, file -> false));
        assertThat(findings).extracting(Finding::verdict).containsOnly(Verdict.OK);
        assertThat(findings.getLast().fact()).contains("persistent by msync");
    }

    @Test
    void shouldFailOnAPoolWithHolesAndOnWhatIsNone() throws Exception {
        Path sparse = pool();
        try (RandomAccessFile file = new RandomAccessFile(sparse.toFile(), "rw")) {
            byte[] header = new byte[1 << 20];
            file.readFully(header);
            file.setLength(0);
            file.write(header);
            file.setLength(Pool.MIN_BYTES);
        }
        assertThat(FakeHost.finding(pool(sparse, false, file -> false), "pool.file"))
                .satisfies(f -> assertThat(f.verdict()).isEqualTo(Verdict.FAIL))
                .satisfies(f -> assertThat(f.fact()).contains("fallocate"));
        Path other = Files.writeString(dir.resolve("other"), "text");
        assertThat(FakeHost.finding(pool(other, false, file -> false), "pool.file")
                        .verdict())
                .isEqualTo(Verdict.FAIL);
    }

    @Test
    void shouldFailIfANewPoolDoesNotFit() {
        PoolConfig large = new PoolConfig(dir.resolve("new/pool"), new Size(1L << 60));
        Finding room = FakeHost.finding(new PoolCheck(fake.host, large, false, file -> false), "pool.room");
        assertThat(room.verdict()).isEqualTo(Verdict.FAIL);
        assertThat(room.remedy()).contains("pool.size");
    }

    @Test
    void shouldWarnOfPoolsThatARebootLosesOrAFullDiskHurts() throws Exception {
        Path pool = pool();
        mount("tmpfs", "tmpfs", "rw,size=1g");
        assertThat(FakeHost.finding(pool(pool, true, file -> false), "pool.medium")
                        .fact())
                .contains("lost when the host reboots");
        mount("btrfs", "/dev/sdb1", "rw");
        assertThat(FakeHost.finding(pool(pool, false, file -> false), "pool.medium")
                        .fact())
                .contains("copies on write");
    }

    @Test
    void shouldTryWhetherDaxIsSynchronous() throws Exception {
        Path pool = pool();
        mount("xfs", "/dev/pmem0", "rw,attr2,dax=always");
        assertThat(FakeHost.finding(pool(pool, false, file -> true), "pool.medium")
                        .verdict())
                .isEqualTo(Verdict.OK);
        assertThat(FakeHost.finding(pool(pool, false, file -> false), "pool.medium")
                        .verdict())
                .isEqualTo(Verdict.WARN);
        assertThat(PoolCheck.mapSynchronously(pool)).isFalse();
    }

    @Test
    void shouldWarnOfPersistentMemoryWithoutDax() throws Exception {
        mount("ext4", "/dev/pmem0", "rw");
        assertThat(FakeHost.finding(pool(pool(), false, file -> false), "pool.medium")
                        .remedy())
                .contains("dax=always");
    }

    @Test
    void shouldWarnThatRdmaDoesNotReachAFileOnDax() throws Exception {
        mount("ext4", "/dev/pmem0", "rw,dax=always");
        Finding rdma = FakeHost.finding(pool(pool(), true, file -> true), "pool.rdma");
        assertThat(rdma.verdict()).isEqualTo(Verdict.WARN);
        assertThat(rdma.fact()).contains("on-demand paging");
        assertThat(rdma.remedy()).contains("device DAX");
    }

    @Test
    void shouldFailOnADaxDeviceThatIsMissingOrServesAsMemory() {
        Path device = Path.of("/dev/dax9.9");
        assertThat(FakeHost.finding(pool(device, false, file -> false), "pool.device")
                        .fact())
                .isEqualTo("there is no /dev/dax9.9");
        fake.file("/sys/bus/dax/devices/dax9.9/size", "1073741824")
                .link("/sys/bus/dax/devices/dax9.9/driver", "../../../bus/dax/drivers/kmem");
        assertThat(FakeHost.finding(pool(device, false, file -> false), "pool.device")
                        .remedy())
                .contains("daxctl reconfigure-device");
    }

    @Test
    void shouldFailIfOthersMayReadTheSecret() throws Exception {
        Path file = Files.write(dir.resolve("secret"), new byte[32]);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-----"));
        Finding open = FakeHost.finding(new SecretCheck(file, true), "secret.file");
        assertThat(open.verdict()).isEqualTo(Verdict.FAIL);
        assertThat(open.remedy()).startsWith("chmod 600");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        assertThat(FakeHost.finding(new SecretCheck(file, true), "secret.file").verdict())
                .isEqualTo(Verdict.OK);
        Files.write(file, new byte[31]);
        assertThat(FakeHost.finding(new SecretCheck(file, true), "secret.file").verdict())
                .isEqualTo(Verdict.FAIL);
    }

    @Test
    void shouldAskForTheSecretOfTheOthersWhereThereAreOthers() {
        Path none = dir.resolve("none");
        assertThat(FakeHost.finding(new SecretCheck(none, true), "secret.file").verdict())
                .isEqualTo(Verdict.WARN);
        assertThat(FakeHost.finding(new SecretCheck(none, false), "secret.file").verdict())
                .isEqualTo(Verdict.INFO);
    }

    @Test
    void shouldFailOnAPortInUseUnlessTheDaemonUsesIt() throws Exception {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            String yaml = "fabric: {listen: '127.0.0.1:" + socket.getLocalPort() + "'}";
            assertThat(FakeHost.finding(new PortsCheck(subject(yaml)), "network.listen")
                            .verdict())
                    .isEqualTo(Verdict.FAIL);
            assertThat(FakeHost.findings(new PortsCheck(subject(yaml, OptionalLong.of(1)))))
                    .extracting(Finding::verdict)
                    .containsOnly(Verdict.OK);
        }
    }

    @Test
    void shouldWarnIfOtherHostsAreToldTheLoopbackAddress() throws Exception {
        Finding told = FakeHost.finding(
                new PortsCheck(subject("coordination: {connect: '192.0.2.1:2181'}")), "network.advertise");
        assertThat(told.verdict()).isEqualTo(Verdict.WARN);
        assertThat(told.remedy()).contains("fabric.listen");
    }

    @Test
    void shouldFailOnAnAddressOfAnotherHost() throws Exception {
        assertThat(FakeHost.finding(new PortsCheck(subject("fabric: {listen: '192.0.2.1:7600'}")), "network.listen")
                        .verdict())
                .isEqualTo(Verdict.FAIL);
    }

    @Test
    void shouldUnderstandWhatServersAnswer() {
        Duration took = Duration.ofMillis(3);
        assertThat(ZooKeeperServer.parse("Zookeeper version: 3.9.3\nMode: follower\nNode count: 5\n", took))
                .isEqualTo(new ZooKeeperServer("follower", true, took));
        assertThat(ZooKeeperServer.parse("This ZooKeeper instance is not currently serving requests\n", took)
                        .serves())
                .isFalse();
        assertThat(ZooKeeperServer.parse("srvr is not executed because it is not in the whitelist.\n", took))
                .isEqualTo(new ZooKeeperServer("", true, took));
    }

    @Test
    void shouldFailWithoutAnyServerButNotWhileTheNodeThatRunsItIsDown() throws Exception {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        Subject subject = subject("coordination: {connect: '127.0.0.1:" + port + "'}");
        assertThat(FakeHost.finding(new ClusterCheck(subject, Set.of()), "cluster.zookeeper")
                        .verdict())
                .isEqualTo(Verdict.FAIL);
        assertThat(FakeHost.finding(new ClusterCheck(subject, Set.of("127.0.0.1:" + port)), "cluster.zookeeper")
                        .verdict())
                .isEqualTo(Verdict.INFO);
    }

    @Test
    void shouldSeeAClusterThroughOneOfItsServersAndReachItsNodes() throws Exception {
        Path secret = Files.write(dir.resolve("secret"), new byte[32]);
        try (EmbeddedZooKeeper server = EmbeddedZooKeeper.start(dir.resolve("zk"), 0, () -> {});
                ServerSocket peer = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            int nobody;
            try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
                nobody = free.getLocalPort();
            }
            Subject subject = subject("coordination: {connect: '" + server.connectString() + ",127.0.0.1:" + nobody
                    + "', cluster: c}\nfabric: {secretFile: " + secret + "}");
            ClusterCheck check = new ClusterCheck(subject, Set.of());
            assertThat(FakeHost.finding(check, "cluster.zookeeper").fact())
                    .isEqualTo("1 of 2 ZooKeeper servers can be used");
            assertThat(FakeHost.finding(check, "cluster.registry").verdict()).isEqualTo(Verdict.INFO);

            String password = ClusterSecret.derive(new byte[32], "zookeeper");
            try (ClusterClient client = ClusterClient.connect(
                    new ClusterConfig(server.connectString(), "c", null, Optional.of(password), 4_000, 10_000))) {
                join(client, 2, "tcp://127.0.0.1:" + peer.getLocalPort());
                join(client, 3, "tcp://127.0.0.1:" + nobody);
                List<Finding> findings = FakeHost.findings(check);
                assertThat(findings)
                        .filteredOn(f -> f.check().equals("cluster.peer"))
                        .extracting(Finding::verdict)
                        .containsExactly(Verdict.OK, Verdict.FAIL);
                assertThat(FakeHost.finding(check, "cluster.registry").fact()).contains("has 2 nodes up");

                Files.writeString(secret, "something else, of 32 bytes at least");
                assertThat(FakeHost.finding(check, "cluster.registry").remedy()).contains("secret");
            }
        }
    }

    private static void join(ClusterClient client, int node, String endpoint) throws IOException {
        new NodeRegistry(client)
                .join(
                        new NodeInfo(new NodeId(node), "node" + node, 1, Map.of("fabric", endpoint), List.of(), "test"),
                        Incarnation.current(new byte[32]),
                        e -> {});
    }

    @Test
    void shouldRunAllChecksOfAHostAndANode() throws Exception {
        Subject subject = subject("pool: {size: 128M}");
        List<Finding> findings = new Doctor(Host.here(), List.of(subject)).examine();
        assertThat(findings)
                .extracting(Finding::check)
                .doesNotContain("pool.unknown")
                .contains(
                        "java.version",
                        "fuse.kernel",
                        "limits.nofile",
                        "rdma.libraries",
                        "clock.ntp",
                        "pool.room",
                        "secret.file");
        assertThat(findings)
                .filteredOn(f -> f.check().startsWith("pool"))
                .allMatch(f -> Integer.valueOf(1).equals(f.node()));
    }
}
