package io.tesserafs.fabric.brick;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What became of one block of a MAP: a handle, or why there is none. */
public final class Mapping {
    private final @Nullable BlockHandle made;
    private final @Nullable BrickException refusal;

    private Mapping(@Nullable BlockHandle made, @Nullable BrickException refusal) {
        this.made = made;
        this.refusal = refusal;
    }

    public static Mapping of(BlockHandle handle) {
        return new Mapping(handle, null);
    }

    public static Mapping refused(BrickException why) {
        return new Mapping(null, why);
    }

    /** @throws BrickException why there is none */
    public BlockHandle handle() throws BrickException {
        if (made != null) {
            return made;
        }
        throw Objects.requireNonNull(refusal);
    }

    /** Null if there is none. */
    public @Nullable BlockHandle handleOrNull() {
        return made;
    }
}
