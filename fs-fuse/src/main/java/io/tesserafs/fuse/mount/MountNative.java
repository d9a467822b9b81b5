package io.tesserafs.fuse.mount;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.tesserafs.fuse.libc.LibcNative;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** mount(2), umount2(2) and who we are. */
final class MountNative {
    static final long MS_RDONLY = 1;
    static final long MS_NOSUID = 2;
    static final long MS_NODEV = 4;

    /** Abort the connection first: pending requests fail. The mount stays. */
    static final int MNT_FORCE = 1;
    /** Take the mount out of sight now, and end it when nobody uses it any more. */
    static final int MNT_DETACH = 2;

    static final int UMOUNT_NOFOLLOW = 8;

    private static final MethodHandle MOUNT =
            LibcNative.bind("mount", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, JAVA_LONG, ADDRESS));
    private static final MethodHandle UMOUNT2 =
            LibcNative.bind("umount2", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle GETEUID = LibcNative.bind("geteuid", FunctionDescriptor.of(JAVA_INT));

    private MountNative() {}

    static boolean isRoot() {
        return effectiveUid() == 0;
    }

    static int effectiveUid() {
        try (Arena arena = Arena.ofConfined()) {
            return (int) GETEUID.invokeExact(LibcNative.newCapture(arena));
        } catch (Throwable t) {
            throw LibcNative.unexpected(t);
        }
    }

    /** 0 or the errno. */
    static int mount(String source, String target, String type, long flags, String data) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = LibcNative.newCapture(arena);
            int result = (int) MOUNT.invokeExact(
                    capture,
                    arena.allocateFrom(source),
                    arena.allocateFrom(target),
                    arena.allocateFrom(type),
                    flags,
                    arena.allocateFrom(data));
            return result == 0 ? 0 : LibcNative.errno(capture);
        } catch (Throwable t) {
            throw LibcNative.unexpected(t);
        }
    }

    /** 0 or the errno. */
    static int unmount(String target, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = LibcNative.newCapture(arena);
            int result = (int) UMOUNT2.invokeExact(capture, arena.allocateFrom(target), flags);
            return result == 0 ? 0 : LibcNative.errno(capture);
        } catch (Throwable t) {
            throw LibcNative.unexpected(t);
        }
    }
}
