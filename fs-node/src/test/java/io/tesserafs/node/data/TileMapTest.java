package io.tesserafs.node.data;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.Mapping;
import io.tesserafs.node.namespace.Extent;
import io.tesserafs.node.namespace.ExtentRef;
import io.tesserafs.node.namespace.VolumeService;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** What a node says of its space to the owner after a brick's handles died. */
class TileMapTest {
    private static final BrickId BRICK = new BrickId(3);
    private static final ExtentRef REF = new ExtentRef(BRICK, BlockId.of(9, 1), 0, BlockId.BLOCK_BYTES);

    private static final ExtentRef OLD = new ExtentRef(BRICK, BlockId.of(9, 2), 0, BlockId.BLOCK_BYTES);

    private final List<Extent> ofOwner = new ArrayList<>();
    private final List<Object> released = new ArrayList<>();
    private final AtomicReference<AtomicBoolean> alive = new AtomicReference<>(new AtomicBoolean(true));
    private int losses;

    private final BrickClient brick = proxy(BrickClient.class, (self, method, args) -> switch (method.getName()) {
        case "brick" -> BRICK;
        case "losses" -> losses;
        case "mapAll" -> List.of(Mapping.of(handle(alive.get())));
        default -> null;
    });
    private final VolumeService owner = proxy(VolumeService.class, (self, method, args) -> switch (method.getName()) {
        case "layout" -> List.copyOf(ofOwner);
        case "allocate" -> REF;
        case "release" -> {
            released.add(args[0]);
            yield null;
        }
        default -> throw new AssertionError(method.getName());
    });
    private final TileMap tiles = new TileMap(owner, new BlockMap(BrickSet.only(brick)), 7);

    private static BlockHandle handle(AtomicBoolean alive) {
        return proxy(
                BlockHandle.class,
                (self, method, args) -> method.getName().equals("alive") ? (Object) alive.get() : null);
    }

    private static <T> T proxy(Class<T> type, InvocationHandler handler) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler));
    }

    private Tile written() throws Exception {
        tiles.startEmpty();
        Tile tile = tiles.allocate(0, BlockId.BLOCK_BYTES);
        tile.changed = true;
        tiles.put(tile);
        return tile;
    }

    private void mapAnew() throws Exception {
        alive.getAndSet(new AtomicBoolean(true)).set(false);
        tiles.markStale(0, 1);
        tiles.apply(tiles.fetch(0, 1, 0, 1, tiles.deadReservations(0, 1)));
    }

    @Test
    void shouldGiveBackWhatTheOwnerNeverGot() throws Exception {
        written();
        mapAnew();
        tiles.remove(tiles.all().getFirst());
        assertThat(released).containsExactly(REF);
    }

    @Test
    void shouldNotGiveBackWhatTheOwnerGotThoughTheCommitFailedHere() throws Exception {
        written();
        ofOwner.add(new Extent(0, REF, 100));
        losses++;
        mapAnew();
        assertThat(tiles.takeLost()).isTrue();
        tiles.remove(tiles.all().getFirst());
        assertThat(released).isEmpty();
    }

    @Test
    void shouldKeepWhatACommitIsTellingTheOwner() throws Exception {
        Tile tile = written();
        tile.state = Tile.State.COMMITTING;
        tile.changed = false; // taken by the commit
        mapAnew();
        assertThat(tiles.all()).hasSize(1);
    }

    @Test
    void shouldTellTheOwnerAgainWhatACommitMayNotHaveTold() throws Exception {
        Tile tile = written();
        tile.state = Tile.State.COMMITTING;
        ofOwner.add(new Extent(0, REF, 100));
        mapAnew();
        Tile fresh = tiles.all().getFirst();
        assertThat(fresh).isNotSameAs(tile);
        assertThat(fresh.changed).isTrue();
        assertThat(fresh.state).isEqualTo(Tile.State.COMMITTED);
    }

    /** The tile is at another place for all the owner knows. */
    private Tile moved() throws Exception {
        ofOwner.add(new Extent(0, OLD, 100));
        Tile tile = written();
        tile.validBytes = 100;
        return tile;
    }

    @Test
    void shouldKeepThePlaceOfAMovedTileWhileItsBrickHasIt() throws Exception {
        moved().dirty(0, 100);
        mapAnew();
        Tile fresh = tiles.all().getFirst();
        assertThat(fresh.ref).isEqualTo(REF);
        assertThat(fresh.changed).isTrue();
        assertThat(tiles.takeLost()).isFalse();
    }

    @Test
    void shouldGoBackToTheOldPlaceIfTheNewOneIsLost() throws Exception {
        moved().dirty(0, 100);
        losses++;
        mapAnew();
        assertThat(tiles.all()).singleElement().satisfies(tile -> {
            assertThat(tile.ref).isEqualTo(OLD);
            assertThat(tile.validBytes).isEqualTo(100);
        });
        assertThat(tiles.takeLost()).isTrue();
        assertThat(released).containsExactly(REF);
    }

    @Test
    void shouldLoseNothingWithACopy() throws Exception {
        moved().setCopy();
        losses++;
        mapAnew();
        assertThat(tiles.all())
                .singleElement()
                .satisfies(tile -> assertThat(tile.ref).isEqualTo(OLD));
        assertThat(tiles.takeLost()).isFalse();
        assertThat(released).containsExactly(REF);
    }

    /** The owner cuts what it has; or refuses, and has all of it. */
    @Test
    void shouldLoseNothingWithACopyThatWasCut() throws Exception {
        Tile tile = moved();
        tile.setCopy();
        tile.cut(50);
        mapAnew();
        assertThat(tiles.all()).singleElement().satisfies(old -> {
            assertThat(old.ref).isEqualTo(OLD);
            assertThat(old.validBytes).isEqualTo(100);
        });
        assertThat(tiles.takeLost()).isFalse();
    }

    @Test
    void shouldLoseNothingWithACopyThatTheOwnerGotThoughTheCommitFailedHere() throws Exception {
        moved().setCopy();
        ofOwner.set(0, new Extent(0, REF, 100));
        mapAnew();
        assertThat(tiles.all()).singleElement().satisfies(tile -> {
            assertThat(tile.ref).isEqualTo(REF);
            assertThat(tile.state).isEqualTo(Tile.State.COMMITTED);
        });
        assertThat(tiles.takeLost()).isFalse();
        assertThat(released).isEmpty();
    }

    @Test
    void shouldLoseWhatWasWrittenToACopyThoughItWasFlushed() throws Exception {
        Tile tile = moved();
        tile.setCopy();
        tile.dirty(0, 10);
        tile.takeDirty();
        losses++;
        mapAnew();
        assertThat(tile.isCopy()).isFalse();
        assertThat(tiles.takeLost()).isTrue();
    }

    @Test
    void shouldCallNoTileSettledOfWhichTheOwnerHasLess() throws Exception {
        Tile tile = moved();
        tile.state = Tile.State.COMMITTED;
        tile.changed = false;
        assertThat(tile.isSettled()).isTrue();
        tile.committedLoosely = true;
        assertThat(tile.isSettled()).isFalse();
        tile.committedLoosely = false;
        tile.changed = true;
        assertThat(tile.isSettled()).isFalse();
        tile.changed = false;
        tile.dirty(0, 1);
        assertThat(tile.isSettled()).isFalse();
        tile.takeDirty();
        tile.state = Tile.State.RESERVED;
        assertThat(tile.isSettled()).isFalse();
    }
}
