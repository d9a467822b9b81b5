package io.tesserafs.node.data;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.Mapping;
import io.tesserafs.node.namespace.ExtentRef;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Handles to the blocks that open files use, one per block, shared and counted: many small files live in one block. Thread-safe. */
final class BlockMap {
    /** A mapped block. {@code memory} is its bytes if this process has them mapped; a block of another host has none. */
    static final class Mapped {
        final BrickClient brick;
        final BlockHandle handle;
        final @Nullable MemorySegment memory;
        /** Of the brick, when this was mapped: the same block under another number may have lost what was not flushed. */
        final int losses;

        private int users = 1;

        Mapped(BrickClient brick, BlockHandle handle) {
            this.brick = brick;
            this.handle = handle;
            this.memory = handle.memory();
            this.losses = brick.losses();
        }
    }

    private static final Logger LOG = LoggerFactory.getLogger(BlockMap.class);
    private static final BlockId FIRST_BLOCK = BlockId.of(1, 0);

    private final BrickSet bricks;
    private final ConcurrentHashMap<BlockId, Mapped> blocks = new ConcurrentHashMap<>();

    BlockMap(BrickSet bricks) {
        this.bricks = bricks;
    }

    BrickSet bricks() {
        return bricks;
    }

    /** Counted; given back by {@link #release}. A handle that died is replaced: its users meet the dead one and ask again. */
    Mapped acquire(ExtentRef ref) throws BrickException {
        Mapped present = acquirePresent(ref);
        return present != null ? present : acquireAll(List.of(ref), 1).getFirst();
    }

    private @Nullable Mapped acquirePresent(ExtentRef ref) {
        return blocks.computeIfPresent(ref.block(), (id, mapped) -> {
            if (!mapped.handle.alive()) {
                return null;
            }
            mapped.users++;
            return mapped;
        });
    }

    /**
     * The same for several, in their order: all or none. Each brick is asked once for those of its blocks that nobody uses yet.
     *
     * @param soon so many of the first are going to be used at once
     */
    List<Mapped> acquireAll(List<ExtentRef> refs, int soon) throws BrickException {
        @Nullable Mapped[] all = new Mapped[refs.size()];
        boolean done = false;
        try {
            while (!acquirePresent(refs, all)) {
                Map<BrickId, Missing> missing = new LinkedHashMap<>();
                for (int i = 0; i < all.length; i++) {
                    if (all[i] == null) {
                        ExtentRef ref = refs.get(i);
                        missing.computeIfAbsent(ref.brick(), b -> new Missing()).add(ref.block(), i < soon);
                    }
                }
                // Outside the map's lock: bricks may be far away, or gone.
                for (Map.Entry<BrickId, Missing> one : missing.entrySet()) {
                    enter(map(bricks.client(one.getKey()), one.getValue()), refs, all);
                }
            }
            done = true;
            return Stream.of(all).map(Objects::requireNonNull).toList();
        } finally {
            if (!done) {
                releaseAll(refs, Arrays.asList(all));
            }
        }
    }

    /** Blocks of one brick. */
    private static final class Missing {
        final Set<BlockId> blocks = new LinkedHashSet<>();
        int soon;

        void add(BlockId block, boolean usedSoon) {
            soon += blocks.add(block) && usedSoon ? 1 : 0;
        }
    }

    /** Returns whether that was all. */
    private boolean acquirePresent(List<ExtentRef> refs, @Nullable Mapped[] all) {
        boolean complete = true;
        for (int i = 0; i < all.length; i++) {
            if (all[i] == null) {
                all[i] = acquirePresent(refs.get(i));
                complete &= all[i] != null;
            }
        }
        return complete;
    }

    /** Each with its first user, unless somebody else has mapped the block meanwhile. */
    private void enter(Map<BlockId, Mapped> fresh, List<ExtentRef> refs, @Nullable Mapped[] all) {
        List<Mapped> surplus = new ArrayList<>(0);
        for (int i = 0; i < all.length; i++) {
            Mapped mapped = all[i] == null ? fresh.remove(refs.get(i).block()) : null;
            if (mapped != null && blocks.putIfAbsent(refs.get(i).block(), mapped) == null) {
                all[i] = mapped;
            } else if (mapped != null) {
                surplus.add(mapped);
            }
        }
        unmap(surplus);
    }

    private Map<BlockId, Mapped> map(BrickClient brick, Missing missing) throws BrickException {
        List<BlockId> ids = List.copyOf(missing.blocks);
        Map<BlockId, Mapped> made = new HashMap<>();
        BrickException failure = null;
        try {
            List<Mapping> outcomes = brick.mapAll(Access.READ_WRITE, missing.soon, ids);
            for (int i = 0; i < ids.size(); i++) {
                try {
                    made.put(ids.get(i), new Mapped(brick, outcomes.get(i).handle()));
                } catch (BrickException e) {
                    failure = failure == null ? e : failure;
                }
            }
        } catch (BrickException e) {
            failure = e;
            if (e.reason() == BrickException.Reason.UNREACHABLE) {
                bricks.failed(brick); // not so if only a block is withheld: then others use the client meanwhile
            }
        }
        if (failure == null) {
            return made;
        }
        unmap(made.values());
        throw failure;
    }

    /** Each brick is asked once. */
    private static void unmap(Collection<Mapped> some) {
        Map<BrickClient, List<BlockHandle>> handles = new LinkedHashMap<>();
        for (Mapped mapped : some) {
            handles.computeIfAbsent(mapped.brick, b -> new ArrayList<>()).add(mapped.handle);
        }
        handles.forEach(BrickClient::unmapAll);
    }

    /** Whether the brick is there and known to have lost memory since. May wait for it, though not for long. */
    boolean hasLost(Mapped mapped) {
        BrickId brick = mapped.brick.brick();
        for (int attempt = 0; attempt < 2; attempt++) {
            try {
                BrickClient client = bricks.client(brick);
                try {
                    client.list(FIRST_BLOCK, 1); // a client does not know by itself whether its brick is still there
                    return client.losses() != mapped.losses;
                } catch (BrickException e) {
                    bricks.failed(client); // perhaps of a process that is dead
                    LOG.debug("brick {}: {}", brick, e.getMessage());
                }
            } catch (BrickException e) {
                LOG.debug("brick {} is away: {}", brick, e.getMessage());
                return false;
            }
        }
        return false;
    }

    /** One more user of what somebody uses; false if its handle has died meanwhile. Waits for nothing. */
    boolean retain(ExtentRef ref, Mapped mapped) {
        Mapped present = blocks.computeIfPresent(ref.block(), (id, known) -> {
            known.users += known == mapped ? 1 : 0;
            return known;
        });
        return present == mapped;
    }

    void release(ExtentRef ref, Mapped mapped) {
        if (isLastUser(ref, mapped)) {
            mapped.brick.unmap(mapped.handle);
        }
    }

    /** @param some in the order of the places; null where there is none */
    void releaseAll(List<ExtentRef> refs, List<? extends @Nullable Mapped> some) {
        List<Mapped> unused = new ArrayList<>();
        for (int i = 0; i < refs.size(); i++) {
            Mapped mapped = some.get(i);
            if (mapped != null && isLastUser(refs.get(i), mapped)) {
                unused.add(mapped);
            }
        }
        unmap(unused);
    }

    private boolean isLastUser(ExtentRef ref, Mapped mapped) {
        boolean[] last = new boolean[1];
        blocks.computeIfPresent(ref.block(), (id, present) -> {
            if (present != mapped) {
                return present; // it died and was replaced; nobody counts its users any more
            }
            last[0] = --present.users == 0;
            return last[0] ? null : present;
        });
        return last[0];
    }
}
