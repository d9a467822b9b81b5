package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.BrickId;
import java.util.Collection;
import java.util.List;
import java.util.stream.Collectors;

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

    /**
     * Asks a brick what may be asked twice. That the connection has ended shows only when it is used, so that is no answer yet: then it asks once more, over a
     * new one.
     */
    default <T> T ask(BrickId brick, Call<T> call) throws BrickException {
        BrickClient client = client(brick);
        try {
            return call.to(client);
        } catch (BrickException e) {
            if (e.reason() != Reason.UNREACHABLE) {
                throw e;
            }
            failed(client);
        }
        return askOnce(brick, call);
    }

    /** Asks a brick what must not be asked twice unless the caller knows what the first time may have done; connects anew next time if it does not answer. */
    default <T> T askOnce(BrickId brick, Call<T> call) throws BrickException {
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

    /** A block, with the client that alone can unmap it. */
    record Mapped(BrickClient client, BlockHandle handle) {
        /** Harmless if the connection has ended. */
        void unmap() {
            client.unmap(handle);
        }

        /** The same for several, with as few calls as can be. */
        static void unmapAll(Collection<Mapped> blocks) {
            blocks.stream()
                    .collect(Collectors.groupingBy(
                            Mapped::client, Collectors.mapping(Mapped::handle, Collectors.toList())))
                    .forEach(BrickClient::unmapAll);
        }
    }

    /** Maps a block of a brick. */
    default Mapped map(BrickId brick, BlockId id, Access access) throws BrickException {
        return ask(brick, client -> new Mapped(client, client.map(id, access)));
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
        ask(brick, client -> {
            order.to(client);
            return true;
        });
    }

    /** As {@link #askOnce}. */
    default void tellOnce(BrickId brick, Order order) throws BrickException {
        askOnce(brick, client -> {
            order.to(client);
            return true;
        });
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
