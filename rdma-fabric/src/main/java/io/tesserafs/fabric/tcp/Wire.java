package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.Connection.Network;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * The bytes to and from a peer, blocking. The one place to put encryption: everything above reads and writes through this. One
 * thread reads and one writes at a time; closing from any thread ends both with an exception.
 */
public interface Wire extends Closeable {
    /** The address at the other end, for messages. */
    String remote();

    Network network();

    /** Waits for bytes and takes those that are there; -1 when the peer has ended. */
    int read(ByteBuffer target) throws IOException;

    /** As {@link #read(ByteBuffer)}; fills the buffers one after the other. */
    long read(ByteBuffer[] targets) throws IOException;

    /** Takes over at least one byte, if there are any. */
    int write(ByteBuffer source) throws IOException;

    /** As {@link #write(ByteBuffer)}; takes the buffers one after the other. */
    long write(ByteBuffer[] sources) throws IOException;

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
