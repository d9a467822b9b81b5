package io.tesserafs.fuse.transport;

import io.tesserafs.fuse.protocol.Channel;
import java.util.ArrayList;
import java.util.List;

/**
 * The descriptors of one connection: the one that was mounted, and a clone for each reader thread, so that their answers do
 * not meet on one lock in the kernel.
 *
 * <p>Owned by the mount, which closes it when no thread uses a channel of it any more.
 */
public final class DeviceTransport implements AutoCloseable {
    public static final String DEVICE = "/dev/fuse";

    private final List<DeviceChannel> channels = new ArrayList<>();
    private boolean closed;

    /** Takes over {@code mountedFd}. */
    public DeviceTransport(int mountedFd) {
        channels.add(new DeviceChannel(mountedFd));
    }

    /** The channel of the mounted descriptor; INIT arrives here. */
    public Channel mainChannel() {
        return channels.getFirst();
    }

    /** One more channel; allowed once INIT is answered. */
    public synchronized Channel openChannel() {
        DeviceChannel channel =
                new DeviceChannel(DeviceNative.cloneOf(channels.getFirst().fd(), DEVICE));
        channels.add(channel);
        return channel;
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            channels.reversed().forEach(channel -> DeviceNative.close(channel.fd()));
        }
    }
}
