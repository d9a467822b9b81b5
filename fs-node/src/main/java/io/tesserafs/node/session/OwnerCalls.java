package io.tesserafs.node.session;

import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.UnavailableException;
import io.tesserafs.node.session.KnownMetadata.Span;
import io.tesserafs.node.session.WireIn.MalformedException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Calls to the owner of a volume on another node: a request of {@link VolumeWire} goes out, an errno or an answer comes back. Thread-safe; calls wait.
 */
final class OwnerCalls {
    private static final Logger LOG = LoggerFactory.getLogger(OwnerCalls.class);
    /** As the kernel's. */
    private static final int MAX_ERRNO = 4095;

    /** To the owner and back. */
    interface Channel {
        /** @throws IOException the session is over, so nothing can be asked any more */
        ByteBuffer call(ByteBuffer request) throws IOException;
    }

    interface Decoder<T> {
        T decode(WireIn in) throws MalformedException;
    }

    /** As {@link Decoder}, where it matters when the owner worked on it. */
    interface SpanDecoder<T> {
        T decode(WireIn in, Span span) throws MalformedException;
    }

    private final Channel channel;
    private final SessionCounters counters;

    OwnerCalls(Channel channel, SessionCounters counters) {
        this.channel = channel;
        this.counters = counters;
    }

    <T> T call(WireOut request, Decoder<T> decoder) throws FsException {
        return ask(request, (in, span) -> decoder.decode(in));
    }

    <T> T ask(WireOut request, SpanDecoder<T> decoder) throws FsException {
        try {
            ByteBuffer bytes = request.done();
            counters.called(VolumeWire.opOf(bytes));
            WireIn in = new WireIn(channel.call(bytes));
            int errno = in.i32();
            if (errno < 0 || errno > MAX_ERRNO) {
                throw new MalformedException("errno " + errno);
            }
            if (errno != 0) {
                String message = new String(in.bytes(VolumeWire.MAX_MESSAGE_BYTES), StandardCharsets.UTF_8);
                throw errno == VolumeWire.UNAVAILABLE
                        ? new UnavailableException(message)
                        : new FsException(errno, message);
            }
            T result = decoder.decode(in, VolumeWire.span(in));
            in.end();
            return result;
        } catch (IOException e) {
            throw new UnavailableException("the volume's owner cannot be asked: " + e.getMessage());
        } catch (MalformedException e) {
            throw new FsException(Errno.EIO, "the volume's owner answered nonsense: " + e.getMessage());
        }
    }

    /** The answer has nothing to say. */
    static Boolean nothing(WireIn in) {
        return true;
    }

    /** What nothing depends on: if it fails, the session is over, and its end or the owner's settles it. */
    void quietly(WireOut request, String what) {
        try {
            call(request, OwnerCalls::nothing);
        } catch (FsException e) {
            LOG.debug("{}: {}", what, e.getMessage());
        }
    }
}
