package io.tesserafs.fabric.pmem;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.tesserafs.fabric.pmem.PoolException.Reason;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.UUID;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class PoolTest {
    @TempDir
    Path directory;

    private Path path;

    @BeforeEach
    void namePool() {
        path = directory.resolve("pool");
    }

    private void create() throws IOException {
        Pool.create(path, Pool.MIN_BYTES, "cluster", 3);
    }

    private PoolException refused(Reason reason, Executable call) {
        PoolException e = assertThrows(PoolException.class, call);
        assertThat(e.reason()).as(e.getMessage()).isEqualTo(reason);
        assertThat(e).hasMessageContaining("pool " + path);
        return e;
    }

    /** Every way to open refuses for the same reason, and leaves no trace in the file. */
    private PoolException refusedUnchanged(Reason reason) throws IOException {
        byte[] before = head();
        var modified = Files.getLastModifiedTime(path);
        long size = Files.size(path);
        refused(reason, () -> Pool.openReadOnly(path, false));
        final PoolException e = refused(reason, () -> Pool.open(path));
        assertThat(head()).isEqualTo(before);
        assertThat(Files.size(path)).isEqualTo(size);
        assertThat(Files.getLastModifiedTime(path)).isEqualTo(modified);
        return e;
    }

    private byte[] head() throws IOException {
        try (var in = Files.newInputStream(path)) {
            return in.readNBytes(2 << 20);
        }
    }

    private void overwrite(long at, byte... bytes) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.seek(at);
            file.write(bytes);
        }
    }

    private byte[] headerCopy(long at) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "r")) {
            byte[] bytes = new byte[PoolHeader.BYTES];
            file.seek(at);
            file.readFully(bytes);
            return bytes;
        }
    }

    @Test
    void shouldCreateWithStorageForEveryByte() throws Exception {
        PoolInfo info = Pool.create(path, Pool.MIN_BYTES + 12345, "cluster", 3);
        assertThat(info).isEqualTo(Pool.describe(path));
        assertThat(info.blocks()).isEqualTo(31);
        assertThat(info.fileBytes()).isEqualTo(Pool.MIN_BYTES).isEqualTo(Files.size(path));
        assertThat(info.cluster()).isEqualTo("cluster");
        assertThat(info.brick()).isEqualTo(3);
        assertThat(info.created()).isBetween(Instant.now().minusSeconds(600), Instant.now());
        assertThat(info.cleanShutdown()).isTrue();
        assertThat(info.bootIdAtLastOpen()).isEqualTo(BootId.current());
        try (PoolFile file = PoolFile.open(path, false)) {
            file.checkStorage(info.fileBytes());
        }
        try (var names = Files.list(directory)) {
            assertThat(names).containsExactly(path);
        }
    }

    @Test
    void shouldRefuseBadSizes() {
        refused(Reason.BAD_SIZE, () -> Pool.create(path, Pool.MIN_BYTES - 1, "", 0));
        refused(Reason.BAD_SIZE, () -> Pool.create(path, -1, "", 0));
        assertThat(path).doesNotExist();
    }

    @Test
    void shouldSayWhenTheDiskIsTooSmallAndLeaveNothing() throws Exception {
        PoolException e = assertThrows(PoolException.class, () -> Pool.create(path, 1L << 48, "", 0));
        assertThat(e.reason()).isIn(Reason.NO_SPACE, Reason.BAD_SIZE);
        assertThat(e).hasMessageContaining("pool " + path);
        assertThat(directory).isEmptyDirectory();
    }

    @Test
    void shouldNotTouchAFileThatExists() throws Exception {
        Files.writeString(path, "precious");
        refused(Reason.EXISTS, this::create);
        assertThat(path).hasContent("precious");
    }

    @Test
    void shouldReuseWhatAnInterruptedCreationLeft() throws Exception {
        Files.write(directory.resolve("pool.creating"), new byte[100_000]);
        create();
        try (var names = Files.list(directory)) {
            assertThat(names).containsExactly(path);
        }
        try (Pool pool = Pool.open(path)) {
            assertThat(pool.tableA().toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
        }
    }

    @Test
    void shouldNotTakeOverACreationThatIsUnderWay() throws Exception {
        try (PoolFile other = PoolFile.openOrCreate(directory.resolve("pool.creating"))) {
            other.lock(true);
            PoolException e = assertThrows(PoolException.class, this::create);
            assertThat(e.reason()).isEqualTo(Reason.IN_USE);
        }
    }

    @Test
    void shouldRefuseWhatIsNotAPool() throws Exception {
        refused(Reason.NOT_FOUND, () -> Pool.open(path));
        Files.createFile(path);
        refusedUnchanged(Reason.NOT_A_POOL);
        Files.writeString(path, "hello");
        refusedUnchanged(Reason.NOT_A_POOL);
        Files.write(path, new byte[1 << 20]);
        refusedUnchanged(Reason.NOT_A_POOL);
        Files.delete(path);
        Files.createDirectory(path);
        refused(Reason.NOT_A_POOL, () -> Pool.describe(path));
        assertThrows(PoolException.class, () -> Pool.open(path));
    }

    @Test
    void shouldRefuseATruncatedPoolWhereverItIsCut() throws Exception {
        create();
        for (long size : new long[] {Pool.MIN_BYTES - 1, 3 << 20, 1 << 20, 70_000, 65_000, 512}) {
            try (var channel = Files.newByteChannel(path, StandardOpenOption.WRITE)) {
                channel.truncate(size);
            }
            assertThat(refusedUnchanged(Reason.TRUNCATED))
                    .hasMessageContaining("%,d".formatted(size))
                    .hasMessageContaining("%,d".formatted(Pool.MIN_BYTES));
        }
        try (var channel = Files.newByteChannel(path, StandardOpenOption.WRITE)) {
            channel.truncate(511);
        }
        refusedUnchanged(Reason.NOT_A_POOL);
    }

    @Test
    void shouldRefuseAPoolWithHoles() throws Exception {
        create();
        byte[] head = head();
        Files.delete(path);
        Files.write(path, head);
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength(Pool.MIN_BYTES);
        }
        assertThat(refusedUnchanged(Reason.SPARSE)).hasMessageContaining("fallocate -l " + Pool.MIN_BYTES);
    }

    @Test
    void shouldRefuseAnotherVersionEvenInOneCopy() throws Exception {
        create();
        byte[] copy = headerCopy(PoolGeometry.HEADER_B);
        PoolHeaderTest.patch(copy, PoolHeader.VERSION_AT, 9);
        overwrite(PoolGeometry.HEADER_B, copy);
        assertThat(refusedUnchanged(Reason.VERSION)).hasMessageContaining("version 9");
        overwrite(PoolGeometry.HEADER_A, copy);
        assertThat(refusedUnchanged(Reason.VERSION)).hasMessageContaining("version 9");
    }

    @Test
    void shouldLiveWithOneDamagedHeaderCopyAndRepairIt() throws Exception {
        for (long at : new long[] {PoolGeometry.HEADER_A, PoolGeometry.HEADER_B}) {
            Files.deleteIfExists(path);
            create();
            byte[] before = headerCopy(at);
            overwrite(at + 100, (byte) 0x55);
            assertThat(Pool.describe(path).damagedHeaderCopies()).isEqualTo(1);
            try (Pool pool = Pool.open(path)) {
                assertThat(pool.info().damagedHeaderCopies()).isEqualTo(1);
                assertThat(headerCopy(at)).isNotEqualTo(before);
                pool.beginUse();
            }
            assertThat(Pool.describe(path).damagedHeaderCopies()).isZero();
        }
    }

    @Test
    void shouldRefuseTwoDamagedHeaderCopies() throws Exception {
        create();
        overwrite(PoolGeometry.HEADER_A + 100, (byte) 0x55);
        overwrite(PoolGeometry.HEADER_B + 300, (byte) 0x55);
        refusedUnchanged(Reason.DAMAGED);
    }

    @Test
    void shouldRefuseHeaderCopiesOfDifferentPools() throws Exception {
        create();
        byte[] foreign = headerCopy(PoolGeometry.HEADER_A);
        Files.delete(path);
        create();
        overwrite(PoolGeometry.HEADER_A, foreign);
        refusedUnchanged(Reason.DAMAGED);
    }

    @Test
    void shouldCountTheNewerHeaderCopyAfterATornWrite() throws Exception {
        create();
        byte[] older = headerCopy(PoolGeometry.HEADER_B);
        try (Pool pool = Pool.open(path)) {
            pool.beginUse();
            pool.abandon();
        }
        overwrite(PoolGeometry.HEADER_B, older);
        assertThat(Pool.describe(path).cleanShutdown()).isFalse();
    }

    @Test
    void shouldHaveOneOwner() throws Exception {
        create();
        try (Pool owner = Pool.open(path)) {
            assertThat(owner.blocks()).isEqualTo(31);
            refused(Reason.IN_USE, () -> Pool.open(path));
            refused(Reason.IN_USE, () -> Pool.openReadOnly(path, false));
            Pool.openReadOnly(path, true).close();
            assertThat(Pool.describe(path).blocks()).isEqualTo(31);
            // Looking at the file must not lose the owner its lock.
            assertThat(head()).isNotEmpty();
            refused(Reason.IN_USE, () -> Pool.open(path));
        }
        try (Pool reader = Pool.openReadOnly(path, false);
                Pool another = Pool.openReadOnly(path, false)) {
            assertThat(reader.id()).isEqualTo(another.id());
            refused(Reason.IN_USE, () -> Pool.open(path));
        }
        Pool.open(path).close();
    }

    @Test
    void shouldShowReadersReadOnlyMemory() throws Exception {
        create();
        byte[] before = head();
        try (Pool pool = Pool.openReadOnly(path, false)) {
            assertThat(pool.block(0).isReadOnly()).isTrue();
            assertThat(pool.tableB().isReadOnly()).isTrue();
            assertThatThrownBy(pool::beginUse).isInstanceOf(IllegalStateException.class);
        }
        assertThat(head()).isEqualTo(before);
    }

    @Test
    void shouldRememberHowItWasShutDown() throws Exception {
        create();
        try (Pool pool = Pool.open(path)) {
            assertThat(pool.cleanShutdown()).isTrue();
            pool.beginUse();
            pool.abandon();
        }
        try (Pool pool = Pool.open(path)) {
            assertThat(pool.cleanShutdown()).isFalse();
            assertThat(pool.sameBoot()).isTrue();
            pool.beginUse();
        }
        try (Pool pool = Pool.open(path)) {
            assertThat(pool.cleanShutdown()).isTrue();
        }
    }

    @Test
    void shouldKeepAnEarlierBootIdUntilRecovered() throws Exception {
        create();
        UUID earlier = new UUID(1, 2);
        PoolHeader header = PoolHeader.decode(headerCopy(PoolGeometry.HEADER_A)).header();
        overwrite(PoolGeometry.HEADER_A, header.with(earlier, false).encode());
        for (int crash = 0; crash < 2; crash++) {
            try (Pool pool = Pool.open(path)) {
                assertThat(pool.sameBoot()).isFalse();
                assertThat(pool.bootIdAtLastOpen()).isEqualTo(earlier);
                pool.beginUse();
                assertThat(pool.losses()).isEqualTo(crash + 1);
                pool.abandon();
            }
        }
        try (Pool pool = Pool.open(path)) {
            pool.beginUse();
            // closed before recovery was done: still unclean
        }
        try (Pool pool = Pool.open(path)) {
            assertThat(pool.sameBoot()).isFalse();
            assertThat(pool.cleanShutdown()).isFalse();
            pool.beginUse();
            pool.recovered();
            pool.abandon();
        }
        try (Pool pool = Pool.open(path)) {
            assertThat(pool.sameBoot()).isTrue();
            pool.beginUse();
            assertThat(pool.losses()).isEqualTo(4);
        }
    }

    @Test
    void shouldTakeTheNewBootIdAtOnceAfterACleanShutdown() throws Exception {
        create();
        PoolHeader header = PoolHeader.decode(headerCopy(PoolGeometry.HEADER_A)).header();
        overwrite(PoolGeometry.HEADER_A, header.with(new UUID(1, 2), true).encode());
        try (Pool pool = Pool.open(path)) {
            assertThat(pool.sameBoot()).isFalse();
            assertThat(pool.cleanShutdown()).isTrue();
            pool.beginUse();
            pool.abandon();
        }
        assertThat(Pool.describe(path).bootIdAtLastOpen()).isEqualTo(BootId.current());
    }

    @Test
    void shouldJoinAClusterOnce() throws Exception {
        Pool.create(path, Pool.MIN_BYTES, "", 0);
        try (Pool pool = Pool.open(path)) {
            pool.beginUse();
            pool.join("home", 9);
            assertThatThrownBy(() -> pool.join("elsewhere", 1)).isInstanceOf(IllegalStateException.class);
        }
        assertThat(Pool.describe(path).cluster()).isEqualTo("home");
        assertThat(Pool.describe(path).brick()).isEqualTo(9);
    }

    @Test
    void shouldKeepBytesOfBlocks() throws Exception {
        create();
        try (Pool pool = Pool.open(path)) {
            pool.beginUse();
            for (int i = 0; i < pool.blocks(); i++) {
                pool.block(i).setString(100, "block " + i, UTF_8);
                pool.flush(pool.block(i).asSlice(100, 20));
                assertThat(pool.block(i).address() % 4096).isZero();
            }
            assertThatThrownBy(() -> pool.block(31)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> pool.block(-1)).isInstanceOf(IndexOutOfBoundsException.class);
        }
        try (Pool pool = Pool.openReadOnly(path, false)) {
            for (int i = 0; i < pool.blocks(); i++) {
                assertThat(pool.block(i).getString(100, UTF_8)).isEqualTo("block " + i);
            }
        }
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "r")) {
            file.seek((2 << 20) + 5L * Pool.BLOCK_BYTES + 100);
            assertThat((char) file.readByte()).isEqualTo('b');
        }
    }
}
