package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.ByteBuffer;

/** struct sockaddr_in and sockaddr_in6. */
final class SocketAddresses {
    private static final short AF_INET = 2;
    private static final short AF_INET6 = 10;

    /** Of both: u16, in the host's order. */
    private static final int FAMILY = 0;
    /** Of both: u16, big-endian. */
    private static final int PORT = 2;
    /** 4 bytes. */
    private static final int IPV4_ADDRESS = 4;
    /** 16 bytes, behind a u32 of flow information. */
    private static final int IPV6_ADDRESS = 8;
    /** u32, in the host's order. */
    private static final int IPV6_SCOPE = 24;
    /** Of the longer. */
    private static final int BYTES = 28;

    private SocketAddresses() {}

    static MemorySegment allocate(Arena arena, SocketAddress address) throws IOException {
        if (!(address instanceof InetSocketAddress inet) || inet.isUnresolved()) {
            throw new IOException("not an address on the network: " + address);
        }
        byte[] host = inet.getAddress().getAddress();
        boolean six = inet.getAddress() instanceof Inet6Address;
        MemorySegment out = arena.allocate(BYTES, Long.BYTES);
        out.set(JAVA_SHORT, FAMILY, six ? AF_INET6 : AF_INET);
        out.set(JAVA_BYTE, PORT, (byte) (inet.getPort() >> 8));
        out.set(JAVA_BYTE, PORT + 1, (byte) inet.getPort());
        MemorySegment.copy(host, 0, out, JAVA_BYTE, six ? IPV6_ADDRESS : IPV4_ADDRESS, host.length);
        if (inet.getAddress() instanceof Inet6Address scoped) {
            out.set(JAVA_INT, IPV6_SCOPE, scoped.getScopeId());
        }
        return out;
    }

    static SocketAddress read(byte[] address) throws IOException {
        ByteBuffer in = ByteBuffer.wrap(address);
        int family = (address[FAMILY] & 0xFF) | (address[FAMILY + 1] & 0xFF) << 8;
        byte[] host;
        switch (family) {
            case AF_INET -> {
                host = new byte[4];
                in.get(IPV4_ADDRESS, host);
            }
            case AF_INET6 -> {
                host = new byte[16];
                in.get(IPV6_ADDRESS, host);
            }
            default -> throw new IOException("no address yet (family " + family + ")");
        }
        return new InetSocketAddress(InetAddress.getByAddress(host), in.getShort(PORT) & 0xFFFF);
    }

    /** Of what {@link #read} takes. */
    static int bytes() {
        return BYTES;
    }
}
