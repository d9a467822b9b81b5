package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BrickId;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** What a volume uses of each brick. Owner's lock held by all callers, but for what says otherwise. */
final class Spaces implements Tables.SpaceListener {
    private final Space local;
    /** Changed as a whole, under the lock; read without it. */
    private volatile TreeMap<Integer, Space> all = new TreeMap<>();

    private long lsn;
    /** Nodes of the last owner may still commit what it gave them. */
    private boolean adopting;

    Spaces(BrickId local, boolean heirs) {
        this.local = of(local);
        this.adopting = heirs;
    }

    /** See {@link Space#reconciled}. */
    void reconciled(Space space, Set<Long> unreferenced) {
        space.reconciled(unreferenced, adopting);
    }

    /** Of the owner's own brick. Any thread. */
    Space local() {
        return local;
    }

    /** Made if the volume did not use the brick so far. */
    Space of(BrickId brick) {
        Space known = find(brick);
        if (known != null) {
            return known;
        }
        Space made = new Space(brick);
        TreeMap<Integer, Space> more = new TreeMap<>(all);
        more.put(brick.value(), made);
        all = more;
        return made;
    }

    /** Any thread. */
    @Nullable
    Space find(BrickId brick) {
        return all.get(brick.value());
    }

    /** In the order of bricks. Any thread. */
    List<Space> all() {
        return new ArrayList<>(all.values());
    }

    /** Space dropped from now on is freed once this LSN is durable. */
    void currentLsn(long currentLsn) {
        lsn = currentLsn;
    }

    @Override
    public void added(long block, long packed) {
        of(ExtentMap.brick(packed)).added(block, packed);
    }

    @Override
    public void dropped(long block, long packed) {
        of(ExtentMap.brick(packed)).dropped(lsn, block, packed);
    }

    boolean isReserved(ExtentRef ref) {
        Space space = find(ref.brick());
        return space != null && space.isReserved(ref);
    }

    /** See {@link Space#adopt}. */
    boolean adopt(ExtentRef ref) {
        Space space = find(ref.brick());
        return space != null && space.adopt(ref);
    }

    boolean release(ExtentRef ref) {
        Space space = find(ref.brick());
        return space != null && space.release(ref);
    }

    void freeUnadopted() {
        adopting = false;
        all.values().forEach(Space::freeUnadopted);
    }
}
