package io.tesserafs.node.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.node.data.BlockMap.Mapped;
import io.tesserafs.node.namespace.ExtentRef;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BlockMapTest {
    private static final int BLOCKS = 6;

    @TempDir
    Path directory;

    private final List<String> calls = new ArrayList<>();
    private LocalBrick brick;
    private BrickClient client;
    private BlockMap map;

    @BeforeEach
    void openBrick() throws Exception {
        Path path = directory.resolve("pool");
        Pool.create(path, Pool.MIN_BYTES, "test", 7);
        brick = LocalBrick.open(Pool.open(path));
        client = brick.connect(new SessionId(1));
        client.alloc(IntStream.range(0, BLOCKS).mapToObj(BlockMapTest::block).toArray(BlockId[]::new));
        map = new BlockMap(BrickSet.only(listening(client)));
    }

    /** Notes calls that map and unmap, and for how many blocks they are. */
    private BrickClient listening(BrickClient to) {
        return (BrickClient) Proxy.newProxyInstance(
                BrickClient.class.getClassLoader(), new Class<?>[] {BrickClient.class}, (self, method, args) -> {
                    switch (method.getName()) {
                        case "mapAll" ->
                            calls.add("map " + ((List<?>) args[2]).size() + ", " + args[1] + " of them used soon");
                        case "unmapAll" -> calls.add("unmap " + ((List<?>) args[0]).size());
                        case "unmap" -> calls.add("unmap 1");
                        case "hashCode" -> {
                            return System.identityHashCode(self);
                        }
                        case "equals" -> {
                            return Proxy.isProxyClass(args[0].getClass()); // there is one
                        }
                        default -> {}
                    }
                    try {
                        return method.invoke(to, args);
                    } catch (java.lang.reflect.InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    @AfterEach
    void closeBrick() throws Exception {
        brick.close();
    }

    private static BlockId block(int number) {
        return BlockId.of(1, number);
    }

    private ExtentRef slice(int block, int offset) {
        return new ExtentRef(client.brick(), block(block), offset, 4096);
    }

    private List<ExtentRef> slices(int... blocks) {
        return IntStream.of(blocks).mapToObj(b -> slice(b, 0)).toList();
    }

    @Test
    void shouldMapAndUnmapSeveralBlocksWithOneCallEach() throws Exception {
        List<ExtentRef> refs = slices(3, 1, 2, 0);
        List<Mapped> mapped = map.acquireAll(refs, 2);
        assertThat(mapped).extracting(m -> m.handle.block()).containsExactly(block(3), block(1), block(2), block(0));
        map.releaseAll(refs, mapped);
        assertThat(mapped).noneMatch(m -> m.handle.alive());
        assertThat(calls).containsExactly("map 4, 2 of them used soon", "unmap 4");
    }

    @Test
    void shouldMapOnlyWhatNobodyUsesYet() throws Exception {
        Mapped one = map.acquire(slice(1, 0));
        List<ExtentRef> refs = List.of(slice(1, 4096), slice(2, 0), slice(2, 4096), slice(3, 0));
        List<Mapped> mapped = map.acquireAll(refs, 3);
        assertThat(mapped.get(0)).isSameAs(one);
        assertThat(mapped.get(1)).isSameAs(mapped.get(2));
        map.release(slice(1, 0), one);
        map.release(slice(2, 0), mapped.get(1));
        assertThat(mapped).allMatch(m -> m.handle.alive());
        map.releaseAll(
                List.of(slice(1, 4096), slice(2, 4096), slice(3, 0)),
                List.of(mapped.get(0), mapped.get(2), mapped.get(3)));
        assertThat(mapped).noneMatch(m -> m.handle.alive());
        assertThat(calls).containsExactly("map 1, 1 of them used soon", "map 2, 1 of them used soon", "unmap 3");
    }

    @Test
    void shouldMapNothingIfOneBlockIsNotThere() throws Exception {
        Mapped one = map.acquire(slice(1, 0));
        BrickException e = assertThrows(BrickException.class, () -> map.acquireAll(slices(0, 1, BLOCKS, 2), 4));
        assertThat(e.reason()).isEqualTo(Reason.NOT_FOUND);
        assertThat(one.handle.alive()).isTrue();
        map.release(slice(1, 0), one);
        assertThat(one.handle.alive()).isFalse();
        assertThat(calls)
                .containsExactly("map 1, 1 of them used soon", "map 3, 3 of them used soon", "unmap 2", "unmap 1");
    }

    @Test
    void shouldReplaceHandlesThatDied() throws Exception {
        List<ExtentRef> refs = slices(0, 1);
        List<Mapped> before = map.acquireAll(refs, 1);
        BlockHandle dead = before.getFirst().handle;
        client.unmap(dead);
        List<Mapped> after = map.acquireAll(refs, 1);
        assertThat(after.get(0).handle.alive()).isTrue();
        assertThat(after.get(1)).isSameAs(before.get(1));
        map.releaseAll(refs, before);
        assertThat(after).allMatch(m -> m.handle.alive());
        map.releaseAll(refs, after);
        assertThat(after).noneMatch(m -> m.handle.alive());
    }
}
