package io.tesserafs.fabric.pmem;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.tesserafs.fabric.pmem.PoolException.Reason;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Pools on persistent memory, with a filesystem and without. */
@Tag("rdma")
class DaxPoolTest {
    private Path device;

    @BeforeEach
    void wipe() throws Exception {
        device = DaxDevices.wiped(DaxDevices.FIRST);
    }

    private void refused(Reason reason, Executable call) {
        PoolException e = assertThrows(PoolException.class, call);
        assertThat(e.reason()).as(e.getMessage()).isEqualTo(reason);
    }

    @Test
    void shouldFillADeviceAtMost() throws Exception {
        assertThat(Pool.exists(device)).isFalse();
        PoolInfo info = Pool.create(device, Long.MAX_VALUE, "cluster", 3);
        assertThat(info).isEqualTo(Pool.describe(device));
        assertThat(info.fileBytes()).isGreaterThan(DaxDevices.MIN_BYTES).isLessThan(768L << 20);
        assertThat(info.kind()).isEqualTo("device DAX");
        assertThat(info.survivesReboot()).isTrue();
        assertThat(Pool.exists(device)).isTrue();
        refused(Reason.EXISTS, () -> Pool.create(device, Pool.MIN_BYTES, "cluster", 4));
        assertThat(Pool.describe(device)).isEqualTo(info);
    }

    @Test
    void shouldKeepWhatAnOwnerWrote() throws Exception {
        Pool.create(device, 3 * Pool.MIN_BYTES, "", 0);
        int last;
        try (Pool pool = Pool.open(device)) {
            assertThat(pool.backing()).isEqualTo(Backing.DAX);
            assertThat(pool.persistenceDomain()).isEqualTo(PersistenceDomain.MEMORY_CONTROLLER);
            assertThat(pool.tableA().mismatch(pool.tableB())).isEqualTo(-1);
            assertThat(pool.tableA().get(JAVA_BYTE, 0)).isZero();
            pool.beginUse();
            pool.join("cluster", 5);
            last = pool.blocks() - 1;
            pool.block(last).fill((byte) 7);
            pool.flush(pool.block(last).asSlice(100, 5000));
            pool.flushTables(0, last);
            refused(Reason.IN_USE, () -> Pool.open(device));
            try (Pool beside = Pool.openBesideOwner(device, pool.fileIdentity(), pool.id())) {
                assertThat(beside.block(last).get(JAVA_BYTE, 0)).isEqualTo((byte) 7);
            }
        }
        try (Pool pool = Pool.openReadOnly(device, false)) {
            assertThat(pool.cleanShutdown()).isTrue();
            assertThat(pool.brick()).isEqualTo(5);
            assertThat(pool.block(last).mismatch(pool.block(last).asSlice(1)))
                    .isEqualTo(pool.block(last).byteSize() - 1);
            assertThat(pool.block(last).isReadOnly()).isTrue();
        }
    }

    @Test
    void shouldNotBeCleanAfterACrash() throws Exception {
        Pool.create(device, Pool.MIN_BYTES, "", 0);
        Pool pool = Pool.open(device);
        pool.beginUse();
        pool.abandon();
        PoolInfo info = Pool.describe(device);
        assertThat(info.cleanShutdown()).isFalse();
        assertThat(info.bootIdAtLastOpen()).isEqualTo(BootId.current());
    }

    @Test
    void shouldRefuseDevicesOfOtherKinds() {
        refused(Reason.NOT_A_POOL, () -> Pool.create(Path.of("/dev/zero"), Pool.MIN_BYTES, "", 0));
        refused(Reason.NOT_A_POOL, () -> Pool.open(Path.of("/dev/zero")));
        refused(Reason.NOT_A_POOL, () -> Pool.open(device));
        refused(Reason.BAD_SIZE, () -> Pool.create(device, Pool.MIN_BYTES - 1, "", 0));
    }

    @Test
    void shouldWriteBackCacheLinesOfFilesWithDax() throws Exception {
        Path path = DaxDevices.FILE_SYSTEM.resolve("pool");
        Files.deleteIfExists(path);
        Pool.create(path, Pool.MIN_BYTES, "", 0);
        try (Pool pool = Pool.open(path)) {
            assertThat(pool.backing()).isEqualTo(Backing.DAX);
            assertThat(pool.persistenceDomain()).isEqualTo(PersistenceDomain.MEMORY_CONTROLLER);
            pool.beginUse();
            MemorySegment block = pool.block(1);
            block.fill((byte) 3);
            pool.flush(block);
        }
        assertThat(Pool.describe(path).cleanShutdown()).isTrue();
        Files.delete(path);
    }
}
