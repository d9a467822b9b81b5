package io.tesserafs.node.data;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.brick.Transfer;
import io.tesserafs.fabric.brick.TransferMemory;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.node.namespace.ExtentRef;
import io.tesserafs.node.namespace.FsException;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A tile whose block is not mapped in this process. */
class TileTest {
    private static final BlockId BLOCK = BlockId.of(1, 1);
    private static final int BASE = 1 << 20;

    @TempDir
    Path directory;

    private final List<Transfer> written = new ArrayList<>();
    private @Nullable Reason failure;
    private LocalBrick brick;
    private BrickClient client;
    private BlockHandle near;
    private Tile tile;

    @BeforeEach
    void open() throws Exception {
        Path path = directory.resolve("pool");
        Pool.create(path, Pool.MIN_BYTES, "test", 7);
        brick = LocalBrick.open(Pool.open(path));
        client = brick.connect(new SessionId(1));
        client.alloc(BLOCK);
        near = client.map(BLOCK, Access.READ_WRITE);
        memory().fill((byte) 1);
        BrickClient farClient = proxy(BrickClient.class, client, (method, values) -> {
            if (!method.equals("writeAll")) {
                return false;
            }
            if (failure != null) {
                throw new BrickException(failure, "as told");
            }
            for (Object one : (List<?>) values[0]) {
                written.add((Transfer) one);
                ((Transfer) one).write();
            }
            return true;
        });
        BlockHandle far = proxy(BlockHandle.class, near, (method, values) -> method.equals("memory"));
        ExtentRef ref = new ExtentRef(brick.id(), BLOCK, BASE, 1 << 20);
        tile = new Tile(0, ref, new BlockMap.Mapped(farClient, far), Tile.State.COMMITTED, 0);
    }

    @AfterEach
    void close() throws Exception {
        brick.close();
    }

    private interface Instead {
        /** Returns whether nothing more is to be done, and null to be returned. */
        boolean run(String method, Object[] values) throws BrickException;
    }

    private static <T> T proxy(Class<T> type, T to, Instead instead) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(), new Class<?>[] {type}, (self, method, values) -> {
                    if (instead.run(method.getName(), values)) {
                        return null;
                    }
                    try {
                        return method.invoke(to, values);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                }));
    }

    private MemorySegment memory() {
        return Objects.requireNonNull(near.memory());
    }

    private void assertZeroed(int from, int to) {
        byte[] expected = memory().toArray(JAVA_BYTE);
        for (int i = 0; i < expected.length; i++) {
            expected[i] = (byte) (i >= BASE + from && i < BASE + to ? 0 : 1);
        }
        assertThat(memory().mismatch(MemorySegment.ofArray(expected))).isEqualTo(-1);
    }

    private static long range(long from, long to) {
        return from << 32 | to;
    }

    @Test
    void shouldBeZeroedByOneTransferOfMemoryThatDevicesKnow() throws Exception {
        tile.zero(100, 1_000_000);
        assertZeroed(100, 1_000_000);
        assertThat(tile.takeDirty()).isEqualTo(range(100, 1_000_000));
        assertThat(written).hasSize(1);
        assertThat(written.getFirst().parts()).hasSize(16).allMatch(part -> TransferMemory.pieceOf(part) >= 0);
    }

    @Test
    void shouldZeroRangesOfAllSizes() throws Exception {
        for (int bytes : new int[] {1, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, 1 << 20}) {
            memory().fill((byte) 1);
            tile.zero(0, bytes);
            assertZeroed(0, bytes);
            assertThat(tile.takeDirty()).isEqualTo(range(0, bytes));
        }
    }

    @Test
    void shouldFlushWhatMayHaveBeenZeroed() {
        failure = Reason.IO;
        assertThatThrownBy(() -> tile.zero(5, 10))
                .isInstanceOf(FsException.class)
                .isNotInstanceOf(DeadTileException.class);
        assertThat(tile.takeDirty()).isEqualTo(range(5, 10));
    }

    @Test
    void shouldBeTriedAgainElsewhereIfTheHandleDies() {
        failure = Reason.DEAD_HANDLE;
        assertThatThrownBy(() -> tile.zero(5, 10)).isInstanceOf(DeadTileException.class);
        assertThat(tile.takeDirty()).isEqualTo(range(5, 10));
    }

    @Test
    void shouldStayACopyIfItsHandleIsDeadBeforeItIsZeroed() {
        tile.state = Tile.State.RESERVED;
        tile.setCopy();
        client.unmap(near);
        assertThatThrownBy(() -> tile.zero(5, 10)).isInstanceOf(DeadTileException.class);
        assertThat(written).isEmpty();
        assertThat(tile.isDirty()).isFalse();
        assertThat(tile.isCopy()).isTrue();
    }
}
