package io.tesserafs.node.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.verbs.rdmacore.DeviceSurvey;
import io.tesserafs.fabric.verbs.rdmacore.VerbsUnavailableException;
import io.tesserafs.node.config.NodeConfig.VerbsConfig.Binding;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RdmaCheckTest {
    private static final String LINK_LOCAL = "fe80:0000:0000:0000:0202:c9ff:fe00:0001";
    private static final String ADDRESS_GID = "0000:0000:0000:0000:0000:ffff:c0a8:4d01";
    private static final String ADDRESS = "192.168.77.1";

    @TempDir
    Path root;

    FakeHost fake;

    @BeforeEach
    void make() {
        fake = new FakeHost(root);
    }

    private FakeHost active() {
        return fake.device("mlx5_0", "4: ACTIVE", "5: LinkUp", "Ethernet")
                .gid("mlx5_0", 1, LINK_LOCAL, "RoCE v2", "eth2")
                .gid("mlx5_0", 3, ADDRESS_GID, "RoCE v2", "eth2");
    }

    private RdmaCheck check(boolean wanted, String... seenByLibraries) {
        List<DeviceSurvey> surveys = List.of(seenByLibraries).stream()
                .map(name -> new DeviceSurvey(name, Optional.empty(), "Permission denied"))
                .toList();
        return new RdmaCheck(fake.host, () -> surveys, wanted);
    }

    private Finding address(String configured) {
        return FakeHost.finding(new RdmaAddressCheck(fake.host, configured), "rdma.address");
    }

    @Test
    void shouldNotMindAHostWithoutDevices() {
        assertThat(FakeHost.findings(check(false))).extracting(Finding::verdict).containsOnly(Verdict.INFO, Verdict.OK);
        assertThat(FakeHost.finding(check(false), "rdma.devices").remedy()).isNull();
    }

    @Test
    void shouldFailWithoutADeviceIfTheConfigurationAsksForRdma() {
        Finding finding = FakeHost.finding(check(true), "rdma.devices");
        assertThat(finding.verdict()).isEqualTo(Verdict.FAIL);
        assertThat(finding.remedy()).contains("fabric.rdma");
    }

    @Test
    void shouldSayNothingOfTheUsualBinding() {
        assertThat(FakeHost.findings(new RdmaBindingCheck(fake.host, Binding.RDMA_CORE, "/usr/lib")))
                .isEmpty();
    }

    @Test
    void shouldFailIfTheLibraryOfTheChosenBindingIsNotThere() {
        RdmaBindingCheck check = new RdmaBindingCheck(fake.host, Binding.DISNI, "/opt/lib:/usr/lib");
        Finding finding = FakeHost.finding(check, "rdma.binding");
        assertThat(finding.verdict()).isEqualTo(Verdict.FAIL);
        assertThat(finding.fact()).contains("no libdisni.so", "(/opt/lib:/usr/lib)", "TCP");
        assertThat(finding.remedy()).contains("-Djava.library.path", "rdma-core");
    }

    @Test
    void shouldFindTheLibraryOfTheChosenBindingAndSayWhatItLacks() {
        fake.file("/usr/lib/libdisni.so", "");
        RdmaBindingCheck check = new RdmaBindingCheck(fake.host, Binding.DISNI, ":.:/opt/lib:/usr/lib");
        Finding finding = FakeHost.finding(check, "rdma.binding");
        assertThat(finding.verdict()).isEqualTo(Verdict.OK);
        assertThat(finding.fact()).endsWith("/usr/lib/libdisni.so");
        Finding without = FakeHost.finding(check, "rdma.without");
        assertThat(without.verdict()).isEqualTo(Verdict.INFO);
        assertThat(without.fact()).contains("by TCP", "windows", "on-demand paging", "IPv6");
    }

    @Test
    void shouldDescribeAnActivePort() {
        active();
        Finding port = FakeHost.finding(check(true, "mlx5_0"), "rdma.port");
        assertThat(port.verdict()).isEqualTo(Verdict.OK);
        assertThat(port.fact())
                .isEqualTo("mlx5_0 port 1: ACTIVE, LinkUp, Ethernet, 100 Gb/sec (4X EDR), driver mlx5_core; "
                        + "GIDs 1 (RoCE v2 on eth2), 3 (RoCE v2 on eth2)");
    }

    @Test
    void shouldSayWhatToDoAboutAPortThatIsDown() {
        fake.device("mlx5_0", "1: DOWN", "3: Disabled", "Ethernet");
        Finding port = FakeHost.finding(check(true, "mlx5_0"), "rdma.port");
        assertThat(port.verdict()).isEqualTo(Verdict.WARN);
        assertThat(port.fact()).contains("DOWN, Disabled");
        assertThat(port.remedy()).contains("ip link set");
    }

    @Test
    void shouldAskForASubnetManagerWhereInfiniBandIsNotInitialised() {
        fake.device("mlx5_0", "2: INIT", "5: LinkUp", "InfiniBand");
        assertThat(FakeHost.finding(check(true, "mlx5_0"), "rdma.port").remedy())
                .contains("opensm");
    }

    @Test
    void shouldWarnOfAPortWithoutGids() {
        fake.device("mlx5_0", "4: ACTIVE", "5: LinkUp", "Ethernet");
        Finding port = FakeHost.finding(check(true, "mlx5_0"), "rdma.port");
        assertThat(port.verdict()).isEqualTo(Verdict.WARN);
        assertThat(port.fact()).contains("no GID");
        assertThat(port.remedy()).contains("IP address");
    }

    @Test
    void shouldWarnOfAPortThatSpeaksOldRoceOnly() {
        fake.device("mlx5_0", "4: ACTIVE", "5: LinkUp", "Ethernet").gid("mlx5_0", 2, ADDRESS_GID, "IB/RoCE v1", "eth2");
        assertThat(FakeHost.findings(check(true, "mlx5_0")))
                .anyMatch(f -> f.verdict() == Verdict.WARN && f.fact().contains("RoCE v2"));
    }

    @Test
    void shouldTellEmulatedDevices() {
        fake.device("mlx5_0", "4: ACTIVE", "5: LinkUp", "Ethernet")
                .file("/sys/class/infiniband/rxe0/parent", "eth0")
                .file("/sys/class/infiniband/rxe0/ports/1/state", "4: ACTIVE")
                .file("/sys/class/infiniband/rxe0/ports/1/link_layer", "Ethernet")
                .gid("rxe0", 1, ADDRESS_GID, "RoCE v2", "eth0");
        assertThat(FakeHost.findings(check(true, "mlx5_0", "rxe0")))
                .anyMatch(f -> f.fact().contains("driver software (rxe) on eth0"))
                .anyMatch(f -> f.verdict() == Verdict.INFO && f.fact().contains("rxe0 port 1 is emulated"));
    }

    @Test
    void shouldNameADeviceThatTheLibrariesDoNotSee() {
        active();
        Finding device = FakeHost.finding(check(false), "rdma.device");
        assertThat(device.verdict()).isEqualTo(Verdict.WARN);
        assertThat(device.remedy()).contains("ib_uverbs").contains("ibverbs-providers");
    }

    @Test
    void shouldNameADeviceThatMayNotBeOpened() {
        active();
        assertThat(FakeHost.finding(check(false, "mlx5_0"), "rdma.device").fact())
                .isEqualTo("mlx5_0 cannot be opened: Permission denied");
    }

    @Test
    void shouldFailWithoutLibrariesOnlyIfTheConfigurationAsksForRdma() {
        RdmaCheck.Libraries none = () -> {
            throw new VerbsUnavailableException("libibverbs.so.1 is not installed or cannot be loaded");
        };
        active();
        assertThat(FakeHost.finding(new RdmaCheck(fake.host, none, true), "rdma.libraries")
                        .verdict())
                .isEqualTo(Verdict.FAIL);
        Finding unasked = FakeHost.finding(new RdmaCheck(fake.host, none, false), "rdma.libraries");
        assertThat(unasked.verdict()).isEqualTo(Verdict.WARN);
        assertThat(unasked.remedy()).contains("apt install");
    }

    @Test
    void shouldWarnWithoutAConnectionManager() throws Exception {
        active();
        Files.delete(fake.host.path("/dev/infiniband/rdma_cm"));
        assertThat(FakeHost.finding(check(true, "mlx5_0"), "rdma.cm").remedy()).isEqualTo("modprobe rdma_ucm");
    }

    @Test
    void shouldFindTheConfiguredAddressAmongTheGids() {
        active();
        Finding address = address(ADDRESS);
        assertThat(address.verdict()).isEqualTo(Verdict.OK);
        assertThat(address.fact()).contains("GID 3").contains("mlx5_0 port 1");
        assertThat(address("fe80::202:c9ff:fe00:1").verdict()).isEqualTo(Verdict.OK);
    }

    @Test
    void shouldFailIfTheConfiguredAddressIsOfNoDevice() {
        active();
        assertThat(address("192.168.77.2").verdict()).isEqualTo(Verdict.FAIL);
    }

    @Test
    void shouldFailIfTheConfiguredAddressIsOfAPortThatIsDown() {
        fake.device("mlx5_0", "1: DOWN", "3: Disabled", "Ethernet").gid("mlx5_0", 1, ADDRESS_GID, "RoCE v2", "eth2");
        Finding address = address(ADDRESS);
        assertThat(address.verdict()).isEqualTo(Verdict.FAIL);
        assertThat(address.fact()).contains("not active");
    }

    @Test
    void shouldNotJudgeAddressesOverInfiniBand() {
        fake.device("mlx5_0", "4: ACTIVE", "5: LinkUp", "InfiniBand").gid("mlx5_0", 0, LINK_LOCAL, "IB/RoCE v1", "");
        assertThat(address(ADDRESS).verdict()).isEqualTo(Verdict.INFO);
    }

    @Test
    void shouldWriteAddressesAsTheKernelDoes() throws Exception {
        assertThat(RdmaPort.asGid(InetAddress.getByAddress(new byte[] {(byte) 192, (byte) 168, 77, 1})))
                .isEqualTo(ADDRESS_GID);
    }
}
