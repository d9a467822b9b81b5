package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BrickId;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** What a volume uses of each brick. Owner's lock held by all callers, but for what says otherwise. */
final class Spaces implements Tables.SpaceListener {
    private final Space local;
    /** Changed as a whole, under the lock; read without it. */
    private volatile TreeMap<Integer, Space> all = new TreeMap<>();

    private long lsn;
    /** Nodes of the last owner may still commit what it gave them. */
    private final boolean heirs;

    Spaces(BrickId local, boolean heirs) {
        this.heirs = heirs;
        this.local = of(local);
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
        Space made = new Space(brick, heirs);
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

    /** See {@link Space#mayHaveUnknownHeirs}. */
    boolean mayHaveUnknownHeirs(BrickId brick) {
        Space space = find(brick);
        return space == null ? heirs : space.mayHaveUnknownHeirs();
    }

    /** See {@link Space#endAdoption}. */
    void endAdoption(long nowNs) {
        all.values().forEach(space -> space.endAdoption(nowNs));
    }
}
