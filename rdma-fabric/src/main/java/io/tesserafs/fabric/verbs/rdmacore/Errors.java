package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** Texts of error numbers. */
final class Errors {
    static final int EINTR = 4;
    static final int EAGAIN = 11;
    static final int ENOMEM = 12;

    /** Longer than any text of glibc. */
    private static final int MAX_TEXT_BYTES = 256;

    private static final MethodHandle STRERROR = Linker.nativeLinker()
            .downcallHandle(
                    Linker.nativeLinker().defaultLookup().findOrThrow("strerror"),
                    FunctionDescriptor.of(ADDRESS, JAVA_INT));

    private Errors() {}

    static String describe(int errno) {
        try {
            MemorySegment text = (MemorySegment) STRERROR.invokeExact(errno);
            return text.reinterpret(MAX_TEXT_BYTES).getString(0);
        } catch (Throwable t) {
            throw unchecked(t);
        }
    }

    /** Calls into native code declare Throwable; only unchecked ones really come. */
    static RuntimeException unchecked(Throwable t) {
        if (t instanceof Error error) {
            throw error;
        }
        return t instanceof RuntimeException e ? e : new IllegalStateException(t);
    }
}
