package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class DescriptorsTest {
    private static NativeCall libc(String name, int arguments) {
        MemorySegment address = Linker.nativeLinker().defaultLookup().findOrThrow(name);
        return new NativeCall(name, address, NativeCall.Kind.CODE, arguments);
    }

    @Test
    void shouldNotWaitInReadForWhatIsGone() throws Exception {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment ends = arena.allocate(JAVA_INT, 2);
            libc("pipe", 1).check(ends.address());
            int reading = ends.get(JAVA_INT, 0);
            int writing = ends.get(JAVA_INT, Integer.BYTES);
            NativeCall close = libc("close", 1);
            try {
                assertThat(Descriptors.awaitReadable(reading, 0)).isFalse();
                Descriptors.neverBlock(reading);
                MemorySegment room = arena.allocate(8);
                assertThatThrownBy(() -> libc("read", 3).check(reading, room.address(), 8))
                        .isInstanceOfSatisfying(
                                VerbsException.class, e -> assertThat(e.errno()).isEqualTo(Errors.EAGAIN));
            } finally {
                close.check(writing);
            }
            assertThat(Descriptors.awaitReadable(reading, -1)).isTrue(); // its end
            close.check(reading);
            assertThatThrownBy(() -> Descriptors.neverBlock(reading))
                    .isInstanceOf(VerbsException.class)
                    .hasMessageContaining("fcntl");
        }
    }
}
