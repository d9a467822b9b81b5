package io.tesserafs.node.session;

import io.tesserafs.coherence.lock.LostLocksException;
import io.tesserafs.node.namespace.FsException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** Runs calls that concern file locks on virtual threads, one after the other for each file, so that they take effect in order. Thread-safe. */
final class FileOrder implements AutoCloseable {
    /** Files that share one wait for each other; more would cost idle executors. */
    private static final int STRIPES = 64;

    interface Call<T extends @Nullable Object> {
        /** @throws FsException the owner cannot be asked: what the locks were is not known */
        T run() throws FsException;
    }

    private final ExecutorService[] order = new ExecutorService[STRIPES];
    /** Calls under way or to come, by stripe: what comes after them must not overtake them. */
    private final AtomicInteger[] pending = new AtomicInteger[STRIPES];

    FileOrder() {
        for (int i = 0; i < STRIPES; i++) {
            order[i] = Executors.newSingleThreadExecutor(
                    Thread.ofVirtual().name("tessera-locks-" + i).factory());
            pending[i] = new AtomicInteger();
        }
    }

    private static int stripe(long inode) {
        return (int) (inode & STRIPES - 1);
    }

    /** Whether there are calls that one for the file would have to wait for. */
    boolean isBusy(long inode) {
        return pending[stripe(inode)].get() != 0;
    }

    /** After the other calls for the file. Fails with {@link LostLocksException} where the call says that the owner cannot be asked. */
    <T extends @Nullable Object> CompletableFuture<T> run(long inode, Call<T> call) {
        CompletableFuture<T> result = new CompletableFuture<>();
        int stripe = stripe(inode);
        pending[stripe].incrementAndGet();
        order[stripe].execute(() -> {
            try {
                T value;
                try {
                    value = call.run();
                } finally {
                    pending[stripe].decrementAndGet();
                }
                result.complete(value);
            } catch (FsException e) {
                result.completeExceptionally(new LostLocksException(String.valueOf(e.getMessage())));
            } catch (RuntimeException | Error e) {
                result.completeExceptionally(e);
            }
        });
        return result;
    }

    /** What was begun goes on. */
    @Override
    public void close() {
        for (ExecutorService stripe : order) {
            stripe.shutdown();
        }
    }
}
