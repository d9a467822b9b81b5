package io.tesserafs.node.data;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.node.namespace.VolumeService;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** That write(2) with O_SYNC and O_DSYNC is durable when it returns, as the kernel asks for it: by flags of a WRITE, or by an FSYNC after it. */
@Tag("fuse")
@Timeout(60)
class SyncWritesOfKernelTest {
    private final AtomicLong syncs = new AtomicLong();

    private VolumeService counting(VolumeService owner) {
        return (VolumeService) Proxy.newProxyInstance(
                VolumeService.class.getClassLoader(), new Class<?>[] {VolumeService.class}, (self, method, args) -> {
                    try {
                        Object result = method.invoke(owner, args);
                        if (method.getName().equals("sync")) {
                            syncs.incrementAndGet();
                        }
                        return result;
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    @ParameterizedTest
    @CsvSource({"1, SYNC, WRITE", "1, DSYNC, APPEND", "2, SYNC, WRITE", "2, DSYNC, WRITE", "2, SYNC, APPEND"})
    void shouldReturnFromWriteWhenItIsDurable(
            int nodes, StandardOpenOption sync, StandardOpenOption how, @TempDir Path directory) throws Exception {
        try (SharedVolume volume = new SharedVolume(directory, nodes, this::counting)) {
            Path path = volume.mount(1).resolve("f");
            OpenOption[] options = {StandardOpenOption.CREATE, how, sync};
            try (FileChannel file = FileChannel.open(path, options)) {
                for (int i = 0; i < 3; i++) {
                    long before = syncs.get();
                    assertThat(file.write(ByteBuffer.allocate(5000))).isEqualTo(5000);
                    assertThat(syncs.get()).isGreaterThan(before);
                }
            }
            assertThat(Files.size(volume.mount(nodes).resolve("f"))).isEqualTo(15_000);
        }
    }
}
