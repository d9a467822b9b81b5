package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.Connection.Network;
import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

/** The socket itself, unencrypted. */
final class SocketWire implements Wire {
    private final SocketChannel channel;
    private final String remote;

    SocketWire(SocketChannel channel) throws IOException {
        this.channel = channel;
        this.remote = String.valueOf(channel.getRemoteAddress());
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
    }

    @Override
    public String remote() {
        return remote;
    }

    @Override
    public Network network() {
        return Network.TCP;
    }

    @Override
    public int read(ByteBuffer target) throws IOException {
        return channel.read(target);
    }

    @Override
    public long read(ByteBuffer[] targets) throws IOException {
        return channel.read(targets);
    }

    @Override
    public int write(ByteBuffer source) throws IOException {
        return channel.write(source);
    }

    @Override
    public long write(ByteBuffer[] sources) throws IOException {
        return channel.write(sources);
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
