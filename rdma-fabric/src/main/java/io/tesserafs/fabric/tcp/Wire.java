package io.tesserafs.fabric.tcp;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.GatheringByteChannel;
import java.nio.channels.ScatteringByteChannel;

/**
 * The bytes to and from a peer, blocking. The one place to put encryption: everything above reads and writes through this. One
 * thread reads and one writes at a time; closing from any thread ends both with an exception.
 */
interface Wire extends ByteChannel, ScatteringByteChannel, GatheringByteChannel {
    /** The address at the other end, for messages. */
    String remote();

    /** Reads until the buffer is full. */
    default void readFully(ByteBuffer target) throws IOException {
        while (target.hasRemaining()) {
            if (read(target) < 0) {
                throw new EOFException("closed by the peer");
            }
        }
    }

    default void writeFully(ByteBuffer source) throws IOException {
        while (source.hasRemaining()) {
            write(source);
        }
    }

    default void writeFully(ByteBuffer first, ByteBuffer second) throws IOException {
        ByteBuffer[] both = {first, second};
        while (second.hasRemaining() || first.hasRemaining()) {
            write(both);
        }
    }
}
