package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import java.util.List;

/** The bricks of the cluster as one owner of a volume reaches them, all under {@link OwnerSession}. Thread-safe. */
public interface OwnerBricks {
    /** Of this node: where the log is while this node owns the volume. */
    BrickId local();

    /**
     * May block while it connects.
     *
     * @throws BrickException UNREACHABLE, FENCED: a newer owner exists
     */
    BrickClient client(BrickId brick) throws BrickException;

    /** A client does not work any more: the next {@link #client} makes another. */
    void failed(BrickClient client);

    /** Something that a brick is asked for. */
    @FunctionalInterface
    interface Call<T> {
        T to(BrickClient brick) throws BrickException;
    }

    /** Asks a brick, and connects anew next time if it does not answer. */
    default <T> T ask(BrickId brick, Call<T> call) throws BrickException {
        BrickClient client = client(brick);
        try {
            return call.to(client);
        } catch (BrickException e) {
            if (e.reason() == Reason.UNREACHABLE) {
                failed(client);
            }
            throw e;
        }
    }

    /** Bricks of other nodes that are up, as last heard. Does not block. */
    List<BrickId> others();

    /** As {@link Call}, with nothing to answer. */
    @FunctionalInterface
    interface Order {
        void to(BrickClient brick) throws BrickException;
    }

    /** As {@link #ask}. */
    default void tell(BrickId brick, Order order) throws BrickException {
        BrickClient client = client(brick);
        try {
            order.to(client);
        } catch (BrickException e) {
            if (e.reason() == Reason.UNREACHABLE) {
                failed(client);
            }
            throw e;
        }
    }

    /** Just one brick, of this process. */
    static OwnerBricks only(BrickClient brick) {
        return new OwnerBricks() {
            @Override
            public BrickId local() {
                return brick.brick();
            }

            @Override
            public BrickClient client(BrickId wanted) throws BrickException {
                if (!wanted.equals(brick.brick())) {
                    throw new BrickException(Reason.UNREACHABLE, "brick " + wanted + " is not known");
                }
                return brick;
            }

            @Override
            public void failed(BrickClient client) {}

            @Override
            public List<BrickId> others() {
                return List.of();
            }
        };
    }
}
