package io.tesserafs.fabric.verbs.rdmacore;

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
import java.util.Arrays;

/**
 * A function of a library, for what is not on the hot path. Every argument is passed as 64 bits: both calling conventions that are
 * supported put an integer or pointer argument into a register of its own (up to six) and read as much of it as its type has.
 */
final class NativeCall {
    private static final StructLayout CAPTURE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = CAPTURE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
    private static final int MAX_REGISTER_ARGUMENTS = 6;

    /** How a function tells of failure. */
    enum Kind {
        /** Returns 0, an error number, or -1 and sets errno. */
        CODE,
        /** Returns a pointer, null for failure. */
        POINTER,
        /** Cannot fail. */
        NOTHING
    }

    private final String name;
    private final MethodHandle handle;

    NativeCall(String name, MemorySegment address, Kind kind, int arguments) {
        if (arguments > MAX_REGISTER_ARGUMENTS) {
            throw new IllegalArgumentException(name + " with " + arguments + " arguments");
        }
        MemoryLayout[] types = new MemoryLayout[arguments];
        Arrays.fill(types, JAVA_LONG);
        FunctionDescriptor type = switch (kind) {
            case CODE -> FunctionDescriptor.of(JAVA_INT, types);
            case POINTER -> FunctionDescriptor.of(JAVA_LONG, types);
            case NOTHING -> FunctionDescriptor.ofVoid(types);
        };
        this.name = name;
        this.handle = Linker.nativeLinker()
                .downcallHandle(address, type, Linker.Option.captureCallState("errno"))
                .asSpreader(long[].class, arguments);
    }

    /** Of kind CODE. */
    void check(long... arguments) throws VerbsException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            int result = (int) handle.invokeExact(capture, arguments);
            if (result != 0) {
                throw new VerbsException(name, result > 0 ? result : (int) ERRNO.get(capture, 0L));
            }
        } catch (VerbsException e) {
            throw e;
        } catch (Throwable t) {
            throw Errors.unchecked(t);
        }
    }

    /** Of kind POINTER. */
    long pointer(long... arguments) throws VerbsException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            long result = (long) handle.invokeExact(capture, arguments);
            if (result == 0) {
                throw new VerbsException(name, (int) ERRNO.get(capture, 0L));
            }
            return result;
        } catch (VerbsException e) {
            throw e;
        } catch (Throwable t) {
            throw Errors.unchecked(t);
        }
    }

    /** Of kind NOTHING. */
    void run(long... arguments) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            handle.invokeExact(capture, arguments);
        } catch (Throwable t) {
            throw Errors.unchecked(t);
        }
    }
}
