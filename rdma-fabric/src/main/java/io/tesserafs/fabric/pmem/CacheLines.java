package io.tesserafs.fabric.pmem;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * Writes CPU cache lines back to memory, and returns when they are on their way beyond recall. Thread-safe.
 *
 * <p>The JDK does this for files that it has mapped with MAP_SYNC itself, but it cannot map devices, which have no size; and JDK 25
 * jumps to address 0 if it is to do so before the C2 compiler has made its stubs, or without that compiler. So the few instructions that
 * it takes stand here as machine code, for x86-64; on other processors only files can be used, by the JDK's way.
 */
final class CacheLines {
    private static final long LINE_BYTES = 64;

    /** Of everything a thread's share; one thread alone does not use the bandwidth of the memory. */
    private static final long SHARE_BYTES = 256L << 20;

    private static final Path PROCESSOR = Path.of("/proc/cpuinfo");

    /**
     * What processors offer, best first; each takes the line at register rdi, in four bytes.
     *
     * @param flag as the kernel calls it
     */
    private record Instruction(String flag, String code) {}

    private static final List<Instruction> INSTRUCTIONS = List.of(
            new Instruction("clwb", "660fae37"), // the line stays in the cache
            new Instruction("clflushopt", "660fae3f"),
            new Instruction("clflush", "3e0fae3f")); // with a prefix that does nothing, for the length

    /**
     * Behind the instruction, so that it runs for the lines from rdi to before rsi: {@code add rdi, 64; cmp rdi, rsi; jb START; sfence; ret}.
     * The processor keeps the order of a line's stores and its write-back; the fence comes after all write-backs.
     */
    private static final String LOOP = "4883c740" + "4839f7" + "72f3" + "0faef8" + "c3";

    /** Null if there is none for this machine. */
    private static final @Nullable MethodHandle WRITE_BACK;

    /** Why there is none, else empty. */
    private static final String OBSTACLE;

    static {
        MethodHandle found = null;
        String obstacle = "";
        try {
            found = make();
        } catch (IOException | UnsupportedOperationException e) {
            obstacle = String.valueOf(e.getMessage());
        }
        WRITE_BACK = found;
        OBSTACLE = obstacle;
    }

    private CacheLines() {}

    private static MethodHandle make() throws IOException {
        if (!System.getProperty("os.arch").equals("amd64")) {
            throw new UnsupportedOperationException(
                    "how to write back cache lines is only known of x86-64, not of " + System.getProperty("os.arch"));
        }
        List<String> flags = Files.readAllLines(PROCESSOR).stream()
                .filter(line -> line.startsWith("flags"))
                .findFirst()
                .map(line -> Arrays.asList(line.split("\\s+")))
                .orElse(List.of());
        Instruction best = INSTRUCTIONS.stream()
                .filter(one -> flags.contains(one.flag()))
                .findFirst()
                .orElseThrow(
                        () -> new UnsupportedOperationException("this processor has no way to write back cache lines"));
        byte[] code = HexFormat.of().parseHex(best.code() + LOOP);
        return Linker.nativeLinker()
                .downcallHandle(
                        PoolNative.executable(code, Arena.global()), FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_LONG));
    }

    /** Why {@link #writeBack} cannot be used; empty if it can. */
    static String obstacle() {
        return OBSTACLE;
    }

    static void writeBack(MemorySegment memory) {
        MethodHandle call = WRITE_BACK;
        if (call == null) {
            throw new UnsupportedOperationException(OBSTACLE);
        }
        if (memory.byteSize() == 0) {
            return;
        }
        long from = memory.address() & -LINE_BYTES;
        long to = memory.address() + memory.byteSize();
        memory.get(JAVA_BYTE, 0); // fails if it is not mapped any more, which the processor would answer with a signal
        try {
            call.invokeExact(from, to);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable t) {
            throw new IllegalStateException(t);
        }
    }

    /** As {@link #writeBack}, of memory that may be large, on all CPUs. */
    static void writeBackAll(MemorySegment memory) {
        long shares = (memory.byteSize() + SHARE_BYTES - 1) / SHARE_BYTES;
        LongStream.range(0, shares).parallel().forEach(i -> {
            long from = i * SHARE_BYTES;
            writeBack(memory.asSlice(from, Math.min(SHARE_BYTES, memory.byteSize() - from)));
        });
    }
}
