package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import org.jspecify.annotations.Nullable;

/**
 * A shared library, of which functions are looked up together with the version of their symbol: that version stands for the layout of
 * the structures they take. Stays loaded until the process ends.
 */
final class NativeLibrary {
    private static final int RTLD_NOW = 2;

    private static final MethodHandle DLOPEN = function("dlopen", FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_INT));
    private static final MethodHandle DLVSYM =
            function("dlvsym", FunctionDescriptor.of(ADDRESS, ADDRESS, ADDRESS, ADDRESS));

    private final String name;
    private final String version;
    private final MemorySegment handle;

    private NativeLibrary(String name, String version, MemorySegment handle) {
        this.name = name;
        this.version = version;
        this.handle = handle;
    }

    /** @param version of the symbols, as in {@code symbol@version} */
    static NativeLibrary open(String name, String version) throws VerbsUnavailableException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment handle = (MemorySegment) DLOPEN.invokeExact(arena.allocateFrom(name), RTLD_NOW);
            if (handle.address() == 0) {
                throw new VerbsUnavailableException(name + " is not installed or cannot be loaded");
            }
            return new NativeLibrary(name, version, handle);
        } catch (VerbsUnavailableException e) {
            throw e;
        } catch (Throwable t) {
            throw Errors.unchecked(t);
        }
    }

    NativeCall function(String function, NativeCall.Kind kind, int arguments) throws VerbsUnavailableException {
        return function(function, version, kind, arguments);
    }

    NativeCall function(String function, String symbolVersion, NativeCall.Kind kind, int arguments)
            throws VerbsUnavailableException {
        NativeCall found = functionIfAny(function, symbolVersion, kind, arguments);
        if (found == null) {
            throw new VerbsUnavailableException(
                    name + " has no " + function + "@" + symbolVersion + "; another version is needed");
        }
        return found;
    }

    /** Null if the library has no such function. */
    @Nullable
    NativeCall functionIfAny(String function, String symbolVersion, NativeCall.Kind kind, int arguments) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = (MemorySegment)
                    DLVSYM.invokeExact(handle, arena.allocateFrom(function), arena.allocateFrom(symbolVersion));
            return address.address() == 0 ? null : new NativeCall(function, address, kind, arguments);
        } catch (Throwable t) {
            throw Errors.unchecked(t);
        }
    }

    private static MethodHandle function(String name, FunctionDescriptor type) {
        return Linker.nativeLinker()
                .downcallHandle(Linker.nativeLinker().defaultLookup().findOrThrow(name), type);
    }
}
