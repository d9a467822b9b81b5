package io.tesserafs.node.session;

/** Volumes over channels that a test answers itself. */
final class Channels {
    private Channels() {}

    /** One that remembers nothing. */
    static RemoteVolume volume(OwnerCalls.Channel channel) {
        return new RemoteVolume(
                new OwnerCalls(channel, new SessionCounters()), new KnownMetadata((resource, sequence) -> false));
    }
}
