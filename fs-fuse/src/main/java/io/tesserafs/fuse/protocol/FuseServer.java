package io.tesserafs.fuse.protocol;

import io.tesserafs.fuse.FileSystem;
import io.tesserafs.fuse.FuseSession;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves one connection with a fixed number of reader threads, from INIT to the end.
 *
 * <p>The connection ends when the kernel says so (unmount or abort). The last reader thread then cleans up, in this order: detached
 * requests are interrupted and waited for, the filesystem is told, channels are closed, memory is unmapped.
 */
public final class FuseServer {
    private static final Logger LOG = LoggerFactory.getLogger(FuseServer.class);
    /** How long detached requests may take to notice that the mount is gone. */
    private static final long DRAIN_TIMEOUT_NS = TimeUnit.SECONDS.toNanos(10);

    private final FileSystem fs;
    private final Connection connection;
    private final Session session;
    private final Runnable closeChannels;
    private final AtomicInteger running;
    private final CountDownLatch ended = new CountDownLatch(1);

    private FuseServer(FileSystem fs, Connection connection, Session session, int readers, Runnable closeChannels) {
        this.fs = fs;
        this.connection = connection;
        this.session = session;
        this.closeChannels = closeChannels;
        this.running = new AtomicInteger(readers);
    }

    /**
     * Answers INIT on {@code main}, calls {@link FileSystem#started} and starts {@code readers} threads.
     *
     * @param files of the mount that this serves
     * @param more supplies the channel of each reader but the first
     * @param closeChannels run once when the connection has ended. Not run if this method throws
     */
    public static FuseServer start(
            Channel main,
            Supplier<Channel> more,
            int readers,
            FileSystem fs,
            InodeFiles files,
            SessionOptions options,
            Runnable closeChannels)
            throws IOException {
        Negotiated negotiated = Handshake.perform(main, options, options.locks() && fs.handlesLocks());
        BufferPool pool = new BufferPool(negotiated.maxWriteBytes(), options.requestMemory());
        try {
            Connection connection = new Connection(negotiated, pool, new FuseStats());
            Session session = new Session(connection, main, files);
            FuseServer server = new FuseServer(fs, connection, session, readers, closeChannels);
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < readers; i++) {
                Channel channel = i == 0 ? main : more.get();
                RequestLoop loop =
                        new RequestLoop(connection, channel, new Dispatcher(connection, fs, session.barrier()));
                connection.addLoop(loop);
                threads.add(
                        Thread.ofPlatform().name("fuse-reader-" + i).daemon().unstarted(() -> server.read(loop)));
            }
            fs.started(server.session);
            server.startAll(threads);
            return server;
        } catch (RuntimeException | Error e) {
            pool.close();
            throw e;
        }
    }

    /** Fewer readers than asked for are better than no mount; none are an error. */
    private void startAll(List<Thread> threads) {
        int started = 0;
        try {
            for (Thread thread : threads) {
                thread.start();
                started++;
            }
        } catch (OutOfMemoryError e) {
            if (started == 0) {
                throw e;
            }
            LOG.error("Only {} of {} reader threads could be started", started, threads.size(), e);
            if (running.addAndGet(started - threads.size()) == 0) {
                end();
            }
        }
    }

    public FuseSession session() {
        return session;
    }

    public FuseStats stats() {
        return connection.stats;
    }

    /** Requests that wait on threads of the filesystem right now. */
    public int detachedNow() {
        return connection.detachedCount();
    }

    /** Waits until the connection has ended and everything is released; false on timeout. */
    public boolean awaitEnd(long timeout, TimeUnit unit) throws InterruptedException {
        return ended.await(timeout, unit);
    }

    /** True when nothing of the connection is left. */
    public boolean hasEnded() {
        return ended.getCount() == 0;
    }

    private void read(RequestLoop loop) {
        try {
            loop.run();
        } catch (Throwable t) {
            // This reader ends; the others go on. When it is the last, closing its channel ends the connection.
            LOG.error("A reader thread of /dev/fuse failed", t);
        } finally {
            if (running.decrementAndGet() == 0) {
                end();
            }
        }
    }

    private void end() {
        try {
            boolean drained = connection.drainDetached(DRAIN_TIMEOUT_NS);
            try {
                fs.stopped();
            } catch (RuntimeException | Error e) {
                LOG.error("The filesystem failed to stop", e);
            }
            connection.shut();
            closeChannels.run();
            if (drained) {
                connection.pool.close();
            } else {
                LOG.error(
                        "{} requests did not end with the mount; their memory stays mapped",
                        connection.detachedCount());
            }
        } finally {
            ended.countDown();
        }
    }
}
