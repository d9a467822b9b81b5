package io.tesserafs.fuse.mount;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.libc.LibcNative;
import io.tesserafs.fuse.libc.NativeCallException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** What it takes to start fusermount3 with an inherited socket and to receive a descriptor over it; the JDK can do neither. */
final class FuserMountNative {
    private static final int AF_UNIX = 1;
    private static final int SOCK_STREAM = 1;
    private static final int SOL_SOCKET = 1;
    private static final int SCM_RIGHTS = 1;
    private static final int MSG_CMSG_CLOEXEC = 0x40000000;
    private static final int F_SETFD = 2;
    private static final int FD_CLOEXEC = 1;
    private static final int STDERR = 2;

    /** sizeof(posix_spawn_file_actions_t) is 80 with glibc on 64-bit machines; some room. */
    private static final int FILE_ACTIONS_BYTES = 256;

    /** struct msghdr: 0 name | 8 namelen | 16 iov | 24 iovlen | 32 control | 40 controllen | 48 flags. */
    private static final int MSGHDR_BYTES = 56;

    private static final int MSGHDR_IOV = 16;
    private static final int MSGHDR_IOVLEN = 24;
    private static final int MSGHDR_CONTROL = 32;
    private static final int MSGHDR_CONTROLLEN = 40;
    /** struct cmsghdr: 0 len u64 | 8 level i32 | 12 type i32 | 16 data; padded to 8 bytes. */
    private static final int CMSG_LEVEL = 8;

    private static final int CMSG_TYPE = 12;
    private static final int CMSG_DATA = 16;
    private static final int CMSG_BYTES = 24;

    private static final MethodHandle SOCKETPAIR =
            LibcNative.bind("socketpair", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS));
    private static final MethodHandle FCNTL = LibcNative.bind(
            "fcntl", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT), Linker.Option.firstVariadicArg(2));
    private static final MethodHandle RECVMSG =
            LibcNative.bind("recvmsg", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle READ =
            LibcNative.bind("read", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
    private static final MethodHandle WAITPID =
            LibcNative.bind("waitpid", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle SPAWN = LibcNative.bind(
            "posix_spawn", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS));
    private static final MethodHandle ACTIONS_INIT =
            LibcNative.bind("posix_spawn_file_actions_init", FunctionDescriptor.of(JAVA_INT, ADDRESS));
    private static final MethodHandle ACTIONS_DESTROY =
            LibcNative.bind("posix_spawn_file_actions_destroy", FunctionDescriptor.of(JAVA_INT, ADDRESS));
    private static final MethodHandle ACTIONS_DUP2 = LibcNative.bind(
            "posix_spawn_file_actions_adddup2", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT));

    private FuserMountNative() {}

    /** Two connected sockets; both are closed on exec. */
    static int[] socketPair() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = LibcNative.newCapture(arena);
            MemorySegment pair = arena.allocate(JAVA_INT, 2);
            int result = (int) SOCKETPAIR.invokeExact(capture, AF_UNIX, SOCK_STREAM, 0, pair);
            if (result != 0) {
                throw new NativeCallException("socketpair", LibcNative.errno(capture));
            }
            int[] fds = pair.toArray(JAVA_INT);
            for (int fd : fds) {
                int set = (int) FCNTL.invokeExact(capture, fd, F_SETFD, FD_CLOEXEC);
                if (set != 0) {
                    throw new NativeCallException("fcntl(F_SETFD)", LibcNative.errno(capture));
                }
            }
            return fds;
        } catch (Throwable t) {
            throw LibcNative.unexpected(t);
        }
    }

    /**
     * Starts {@code program}; its pid. Descriptor {@code inheritAs} of the child is our {@code inherited}, and its standard error
     * our {@code stderr}.
     */
    static int spawn(
            String program,
            List<String> arguments,
            List<String> environment,
            int inherited,
            int inheritAs,
            int stderr) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = LibcNative.newCapture(arena);
            MemorySegment actions = arena.allocate(FILE_ACTIONS_BYTES, Long.BYTES);
            check("posix_spawn_file_actions_init", (int) ACTIONS_INIT.invokeExact(capture, actions));
            try {
                // dup2 makes copies that survive exec; the originals do not.
                check("adddup2", (int) ACTIONS_DUP2.invokeExact(capture, actions, stderr, STDERR));
                check("adddup2", (int) ACTIONS_DUP2.invokeExact(capture, actions, inherited, inheritAs));
                MemorySegment pid = arena.allocate(JAVA_INT);
                int result = (int) SPAWN.invokeExact(
                        capture,
                        pid,
                        arena.allocateFrom(program),
                        actions,
                        MemorySegment.NULL,
                        strings(arena, arguments),
                        strings(arena, environment));
                check("posix_spawn(" + program + ")", result);
                return pid.get(JAVA_INT, 0);
            } finally {
                check("posix_spawn_file_actions_destroy", (int) ACTIONS_DESTROY.invokeExact(capture, actions));
            }
        } catch (Throwable t) {
            throw LibcNative.unexpected(t);
        }
    }

    /** The descriptor that the other end sends, closed on exec; -1 if it closes without sending one. */
    static int receiveDescriptor(int socket) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = LibcNative.newCapture(arena);
            MemorySegment data = arena.allocate(1);
            MemorySegment iovec = arena.allocate(16, Long.BYTES);
            iovec.set(ADDRESS, 0, data);
            iovec.set(JAVA_LONG, 8, 1);
            MemorySegment control = arena.allocate(CMSG_BYTES, Long.BYTES);
            MemorySegment message = arena.allocate(MSGHDR_BYTES, Long.BYTES);
            message.set(ADDRESS, MSGHDR_IOV, iovec);
            message.set(JAVA_LONG, MSGHDR_IOVLEN, 1);
            message.set(ADDRESS, MSGHDR_CONTROL, control);
            message.set(JAVA_LONG, MSGHDR_CONTROLLEN, CMSG_BYTES);
            long received;
            do {
                received = (long) RECVMSG.invokeExact(capture, socket, message, MSG_CMSG_CLOEXEC);
            } while (received < 0 && LibcNative.errno(capture) == Errno.EINTR);
            if (received < 0) {
                throw new NativeCallException("recvmsg", LibcNative.errno(capture));
            }
            boolean descriptor = received > 0
                    && message.get(JAVA_LONG, MSGHDR_CONTROLLEN) >= CMSG_DATA + Integer.BYTES
                    && control.get(JAVA_INT, CMSG_LEVEL) == SOL_SOCKET
                    && control.get(JAVA_INT, CMSG_TYPE) == SCM_RIGHTS;
            return descriptor ? control.get(JAVA_INT, CMSG_DATA) : -1;
        } catch (Throwable t) {
            throw LibcNative.unexpected(t);
        }
    }

    /** Up to {@code max} bytes, until the other end closes. */
    static String readAll(int fd, int max) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = LibcNative.newCapture(arena);
            MemorySegment text = arena.allocate(max + 1L);
            long length = 0;
            while (length < max) {
                long n = (long) READ.invokeExact(capture, fd, text.asSlice(length), max - length);
                if (n == 0 || (n < 0 && LibcNative.errno(capture) != Errno.EINTR)) {
                    break;
                }
                length += Math.max(n, 0);
            }
            return text.getString(0).trim();
        } catch (Throwable t) {
            throw LibcNative.unexpected(t);
        }
    }

    /** The status as of waitpid(2). */
    static int waitFor(int pid) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = LibcNative.newCapture(arena);
            MemorySegment status = arena.allocate(JAVA_INT);
            int result;
            do {
                result = (int) WAITPID.invokeExact(capture, pid, status, 0);
            } while (result < 0 && LibcNative.errno(capture) == Errno.EINTR);
            if (result < 0) {
                throw new NativeCallException("waitpid(" + pid + ")", LibcNative.errno(capture));
            }
            return status.get(JAVA_INT, 0);
        } catch (Throwable t) {
            throw LibcNative.unexpected(t);
        }
    }

    /** These functions return the error number themselves. */
    private static void check(String call, int errno) {
        if (errno != 0) {
            throw new NativeCallException(call, errno);
        }
    }

    private static MemorySegment strings(Arena arena, List<String> list) {
        MemorySegment array = arena.allocate(ADDRESS, list.size() + 1L);
        for (int i = 0; i < list.size(); i++) {
            array.setAtIndex(ADDRESS, i, arena.allocateFrom(list.get(i)));
        }
        return array;
    }
}
