package io.tesserafs.fuse.libc;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/**
 * Binds functions of the C library, and holds those that more than one package of this module calls.
 *
 * <p>errno is captured in the call itself: the virtual machine may make system calls of its own before Java code could ask for it.
 * Pointers on hot paths are passed as {@code long}: a {@link MemorySegment} argument would cost a liveness check per call.
 */
public final class LibcNative {
    private static final Linker LINKER = Linker.nativeLinker();
    private static final StructLayout CAPTURE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = CAPTURE.varHandle(MemoryLayout.PathElement.groupElement("errno"));

    /** Bytes a capture segment needs; see {@link #errno(MemorySegment)}. */
    public static final int CAPTURE_BYTES = (int) CAPTURE.byteSize();

    /** What a page is on every platform we run on; buffers are aligned to it for speed only. */
    public static final int PAGE_BYTES = 4096;

    private static final int PROT_READ = 1;
    private static final int PROT_WRITE = 2;
    private static final int MAP_PRIVATE = 2;
    private static final int MAP_ANONYMOUS = 0x20;
    private static final int MADV_DONTNEED = 4;

    private static final MethodHandle MMAP = bind(
            "mmap", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
    private static final MethodHandle MUNMAP = bind("munmap", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle MADVISE =
            bind("madvise", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    private static final MethodHandle STRERROR = LINKER.downcallHandle(
            LINKER.defaultLookup().findOrThrow("strerror"), FunctionDescriptor.of(ADDRESS, JAVA_INT));

    private LibcNative() {}

    /** A handle whose first parameter is a capture segment for errno. */
    public static MethodHandle bind(String name, FunctionDescriptor type, Linker.Option... options) {
        Linker.Option[] all = new Linker.Option[options.length + 1];
        all[0] = Linker.Option.captureCallState("errno");
        System.arraycopy(options, 0, all, 1, options.length);
        return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), type, all);
    }

    public static MemorySegment newCapture(Arena arena) {
        return arena.allocate(CAPTURE);
    }

    public static int errno(MemorySegment capture) {
        return (int) ERRNO.get(capture, 0L);
    }

    /** "Device or resource busy (errno 16)". */
    public static String describe(int errno) {
        try {
            MemorySegment text = (MemorySegment) STRERROR.invokeExact(errno);
            return text.reinterpret(256).getString(0) + " (errno " + errno + ")";
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /**
     * Anonymous, page-aligned memory that uses no RAM until it is touched; unmapped when {@code owner} closes.
     *
     * @param writable if false, it stays all zeros
     */
    public static MemorySegment mapAnonymous(long bytes, boolean writable, Arena owner) {
        int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
        long address;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = newCapture(arena);
            address = (long) MMAP.invokeExact(capture, 0L, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
            if (address == -1) {
                throw new NativeCallException("mmap(" + bytes + " bytes)", errno(capture));
            }
        } catch (Throwable t) {
            throw unexpected(t);
        }
        return MemorySegment.ofAddress(address).reinterpret(bytes, owner, LibcNative::unmap);
    }

    /** Gives the RAM behind {@code memory} back; it reads as zeros afterwards. */
    public static void discard(MemorySegment memory) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = newCapture(arena);
            int result = (int) MADVISE.invokeExact(capture, memory.address(), memory.byteSize(), MADV_DONTNEED);
            if (result != 0) {
                throw new NativeCallException("madvise(MADV_DONTNEED)", errno(capture));
            }
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private static void unmap(MemorySegment memory) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = newCapture(arena);
            int result = (int) MUNMAP.invokeExact(capture, memory.address(), memory.byteSize());
            if (result != 0) {
                throw new NativeCallException("munmap", errno(capture));
            }
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** For the catch clause around {@link MethodHandle#invokeExact}, which declares Throwable but throws only unchecked. */
    public static RuntimeException unexpected(Throwable t) {
        if (t instanceof RuntimeException e) {
            return e;
        }
        if (t instanceof Error e) {
            throw e;
        }
        return new IllegalStateException(t);
    }
}
