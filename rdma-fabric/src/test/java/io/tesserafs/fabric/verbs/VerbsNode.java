package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.BrickResolver;
import io.tesserafs.fabric.Initiator;
import io.tesserafs.fabric.LocalFabric;
import io.tesserafs.fabric.RoutingFabric;
import io.tesserafs.fabric.peer.ConnectionPool;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.tcp.TcpBricks;
import io.tesserafs.fabric.tcp.TcpConfig;
import io.tesserafs.fabric.tcp.TcpTransport;
import io.tesserafs.fabric.verbs.VerbsBinding.Kind;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.UUID;

/** What a daemon has of the fabric, with a device of its own. */
public record VerbsNode(TcpTransport transport, TcpBricks tcp, VerbsBricks verbs, ConnectionPool connections)
        implements Initiator {
    private static final UUID CLUSTER = new UUID(1, 2);
    /** On an emulated machine, in a JVM that has just begun. */
    private static final int CONNECT_TIMEOUT_MS = 60_000;

    private static final int PING_MS = 1000;

    private static final byte[] SECRET = "a secret for tests only".getBytes(StandardCharsets.UTF_8);

    /** @param address of the device */
    public static VerbsNode at(String address, PeerId self) throws IOException {
        return at(address, self, true, KeyPolicy.BEST, Kind.RDMA_CORE);
    }

    /** By DiSNI's own library; called by a name, see {@link SeparateClasses}. */
    public static VerbsNode byDisni(String address, PeerId self) throws IOException {
        return at(address, self, true, KeyPolicy.BEST, Kind.DISNI);
    }

    public static VerbsNode at(String address, PeerId self, KeyPolicy policy) throws IOException {
        return at(address, self, true, policy, Kind.RDMA_CORE);
    }

    /** @param calls whether calls and notifications go by RDMA too */
    public static VerbsNode at(String address, PeerId self, boolean calls) throws IOException {
        return at(address, self, calls, KeyPolicy.BEST, Kind.RDMA_CORE);
    }

    private static VerbsNode at(String address, PeerId self, boolean calls, KeyPolicy policy, Kind binding)
            throws IOException {
        InetSocketAddress loopback = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        TcpTransport transport = new TcpTransport(TcpConfig.of(loopback, self, CLUSTER, SECRET)
                .withConnectTimeout(CONNECT_TIMEOUT_MS)
                .withKeepAlive(PING_MS, CONNECT_TIMEOUT_MS));
        TcpBricks tcp = TcpBricks.withoutSharedMemory(transport);
        VerbsBricks verbs = new VerbsBricks(
                VerbsBinding.open(binding), transport, tcp, InetAddress.getByName(address), calls, policy);
        return new VerbsNode(transport, tcp, verbs, new ConnectionPool(transport));
    }

    @Override
    public RoutingFabric fabric(BrickResolver resolver) {
        return new RoutingFabric(new LocalFabric(), verbs, connections, resolver);
    }

    @Override
    public long bytesMoved() {
        return verbs.traffic().bytesRead() + verbs.traffic().bytesWritten();
    }

    @Override
    public long clientsGivenUp() {
        return verbs.traffic().clientsGivenUp();
    }

    @Override
    public void close() {
        verbs.close();
        transport.close();
        tcp.close();
    }
}
