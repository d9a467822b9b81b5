package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.PeerException.Reason;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URISyntaxException;

/** Where a transport listens, as it is announced: {@code tcp://host:port}, with an IPv6 address in brackets. */
record Endpoint(String host, int port) {
    private static final String SCHEME = "tcp";

    static Endpoint parse(String text) throws PeerException {
        try {
            URI uri = new URI(text);
            String host = uri.getHost();
            if (!SCHEME.equals(uri.getScheme()) || host == null || uri.getPort() < 1 || uri.getPort() > 0xFFFF) {
                throw new PeerException(Reason.UNREACHABLE, "not an endpoint of the form tcp://host:port: " + text);
            }
            boolean bracketed = host.startsWith("[") && host.endsWith("]");
            return new Endpoint(bracketed ? host.substring(1, host.length() - 1) : host, uri.getPort());
        } catch (URISyntaxException e) {
            throw new PeerException(Reason.UNREACHABLE, "not an endpoint of the form tcp://host:port: " + text, e);
        }
    }

    /** Looks the name up anew each time. */
    InetSocketAddress resolve() throws PeerException {
        InetSocketAddress address = new InetSocketAddress(host, port);
        if (address.isUnresolved()) {
            throw new PeerException(Reason.UNREACHABLE, "no host of the name " + host);
        }
        return address;
    }

    @Override
    public String toString() {
        return SCHEME + "://" + (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port;
    }
}
