package io.tesserafs.node.doctor;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * adjtimex(2), only to ask. Of struct timex (208 bytes on 64-bit Linux, of either architecture) three fields are read; "modes", at 0, is
 * zero: nothing is to be set.
 */
final class ClockNative {
    private static final int STRUCT_BYTES = 208;
    private static final int MAX_ERROR = 24; // i64, us
    private static final int STATUS = 40; // i32

    /** STA_UNSYNC: nothing steers the clock. */
    private static final int UNSYNCHRONISED = 0x40;

    private static final MethodHandle ADJTIMEX = Linker.nativeLinker()
            .downcallHandle(
                    Linker.nativeLinker().defaultLookup().findOrThrow("adjtimex"),
                    FunctionDescriptor.of(JAVA_INT, ADDRESS));

    private ClockNative() {}

    static ClockCheck.State state() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment timex = arena.allocate(STRUCT_BYTES, Long.BYTES);
            int result = (int) ADJTIMEX.invokeExact(timex);
            if (result < 0) {
                throw new IOException("adjtimex is not allowed here");
            }
            boolean steered = (timex.get(JAVA_INT, STATUS) & UNSYNCHRONISED) == 0;
            return new ClockCheck.State(steered, timex.get(JAVA_LONG, MAX_ERROR));
        } catch (IOException e) {
            throw e;
        } catch (Throwable t) {
            throw new IllegalStateException(t);
        }
    }
}
