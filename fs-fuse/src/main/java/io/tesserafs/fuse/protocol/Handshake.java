package io.tesserafs.fuse.protocol;

import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.libc.LibcNative;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * INIT: the first request of a connection, answered before any reader thread starts; the kernel holds all others back until then.
 *
 * <p>Not asked for, on purpose: the writeback cache (it would dirty pages without telling us, which token coherence forbids),
 * AUTO_INVAL_DATA (we invalidate by token), splice (copies are from memory), and
 * EXPORT_SUPPORT (it needs lookups of "." and "..").
 */
final class Handshake {
    static final int MAJOR = 7;
    /** The kernel refuses to read requests into less than this (FUSE_MIN_READ_BUFFER), or less than max_write would need. */
    private static final int READ_BUFFER_BYTES = 2 * SessionOptions.MAX_REQUEST_BYTES;

    private static final long WANTED = InitLayout.ASYNC_READ
            | InitLayout.ATOMIC_O_TRUNC
            | InitLayout.BIG_WRITES
            | InitLayout.DO_READDIRPLUS
            | InitLayout.READDIRPLUS_AUTO
            | InitLayout.ASYNC_DIO
            | InitLayout.PARALLEL_DIROPS
            | InitLayout.MAX_PAGES
            | InitLayout.CACHE_SYMLINKS
            | InitLayout.EXPLICIT_INVAL_DATA
            | InitLayout.HANDLE_KILLPRIV_V2
            | InitLayout.SETXATTR_EXT
            | InitLayout.INIT_EXT
            | InitLayout.DIRECT_IO_ALLOW_MMAP;

    /** The kernel hands locks to us, instead of keeping them for this host only. */
    private static final long LOCKS = InitLayout.POSIX_LOCKS | InitLayout.FLOCK_LOCKS;

    private Handshake() {}

    /** Receives INIT from {@code channel} and answers it. Waits until the kernel sends it, which it does at mount time. */
    static Negotiated perform(Channel channel, SessionOptions options, boolean locks) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = LibcNative.newCapture(arena);
            MemorySegment in = arena.allocate(READ_BUFFER_BYTES, LibcNative.PAGE_BYTES);
            MemorySegment out = arena.allocate(HeaderLayout.OUT_LENGTH + InitLayout.OUT_LENGTH, 8);
            while (true) {
                int length = channel.receive(capture, in.address(), in.byteSize());
                if (length == Channel.RETRY) {
                    continue;
                }
                if (length == Channel.UNMOUNTED) {
                    throw new IOException("unmounted before the kernel sent INIT");
                }
                Negotiated negotiated = answer(in.asSlice(0, length), out, options, locks);
                int errno = channel.send(capture, out.address(), Wire.getU32(out, HeaderLayout.OUT_LEN));
                if (Wire.getU32(out, HeaderLayout.OUT_ERROR) != 0) {
                    throw refused(in.asSlice(0, length));
                }
                if (errno != 0) {
                    throw new IOException("the kernel refused the answer to INIT: " + LibcNative.describe(errno));
                }
                if (negotiated != null) {
                    return negotiated;
                }
            }
        }
    }

    /** Writes the answer to {@code out}; null when the kernel is newer than us and will send INIT again. */
    static @Nullable Negotiated answer(MemorySegment in, MemorySegment out, SessionOptions options, boolean locks) {
        out.fill((byte) 0);
        int body = HeaderLayout.OUT_LENGTH;
        long unique = in.byteSize() >= HeaderLayout.IN_LENGTH ? Wire.getU64(in, HeaderLayout.IN_UNIQUE) : 0;
        Wire.putU64(out, HeaderLayout.OUT_UNIQUE, unique);
        if (!isInit(in) || major(in) < MAJOR || (major(in) == MAJOR && minor(in) < SessionOptions.MINOR_MIN)) {
            Wire.putU32(out, HeaderLayout.OUT_LEN, HeaderLayout.OUT_LENGTH);
            Wire.putU32(out, HeaderLayout.OUT_ERROR, -Errno.EPROTO);
            return null;
        }
        Wire.putU32(out, HeaderLayout.OUT_LEN, HeaderLayout.OUT_LENGTH + InitLayout.OUT_LENGTH);
        Wire.putU32(out, body + InitLayout.OUT_MAJOR, MAJOR);
        Wire.putU32(out, body + InitLayout.OUT_MINOR, options.newestMinor());
        if (major(in) > MAJOR) {
            return null;
        }
        int at = HeaderLayout.IN_LENGTH;
        long offered = Integer.toUnsignedLong(Wire.getU32(in, at + InitLayout.IN_FLAGS));
        if ((offered & InitLayout.INIT_EXT) != 0 && in.byteSize() >= at + InitLayout.IN_LENGTH) {
            offered |= (long) Wire.getU32(in, at + InitLayout.IN_FLAGS2) << 32;
        }
        long flags = offered & (locks ? WANTED | LOCKS : WANTED);
        int readahead = (int) Math.min(
                Integer.toUnsignedLong(Wire.getU32(in, at + InitLayout.IN_MAX_READAHEAD)), options.maxReadaheadBytes());
        Wire.putU32(out, body + InitLayout.OUT_MAX_READAHEAD, readahead);
        Wire.putU32(out, body + InitLayout.OUT_FLAGS, (int) flags);
        Wire.putU32(out, body + InitLayout.OUT_FLAGS2, (int) (flags >>> 32));
        Wire.putU16(out, body + InitLayout.OUT_MAX_BACKGROUND, options.maxBackground());
        Wire.putU16(out, body + InitLayout.OUT_CONGESTION_THRESHOLD, options.congestionThreshold());
        Wire.putU32(out, body + InitLayout.OUT_MAX_WRITE, options.maxWriteBytes());
        Wire.putU32(out, body + InitLayout.OUT_TIME_GRAN, 1);
        Wire.putU16(out, body + InitLayout.OUT_MAX_PAGES, options.maxWriteBytes() / LibcNative.PAGE_BYTES);
        return new Negotiated(Math.min(minor(in), options.newestMinor()), options.maxWriteBytes(), flags);
    }

    private static boolean isInit(MemorySegment in) {
        return in.byteSize() >= HeaderLayout.IN_LENGTH + InitLayout.IN_LENGTH_MIN
                && Wire.getU32(in, HeaderLayout.IN_OPCODE) == Opcode.INIT
                && Wire.getU32(in, HeaderLayout.IN_LEN) == in.byteSize();
    }

    private static int major(MemorySegment in) {
        return Wire.getU32(in, HeaderLayout.IN_LENGTH + InitLayout.IN_MAJOR);
    }

    private static int minor(MemorySegment in) {
        return Wire.getU32(in, HeaderLayout.IN_LENGTH + InitLayout.IN_MINOR);
    }

    private static UnsupportedKernelException refused(MemorySegment in) {
        if (!isInit(in)) {
            return new UnsupportedKernelException("the first request on /dev/fuse is not INIT");
        }
        return new UnsupportedKernelException("the kernel speaks FUSE " + major(in) + "." + minor(in) + "; needed is "
                + MAJOR + "." + SessionOptions.MINOR_MIN + " (Linux 5.4) or newer");
    }
}
