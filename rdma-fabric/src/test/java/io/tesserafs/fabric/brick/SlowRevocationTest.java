package io.tesserafs.fabric.brick;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.pmem.Pool;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A device may take its time to forget a key. Whoever counts on a handle being dead waits for that, whichever call killed it. */
@Timeout(60)
class SlowRevocationTest {
    private static final SessionId HOLDER = new SessionId(1);
    private static final SessionId OWNER = new SessionId(2);
    private static final BlockId BLOCK = BlockId.of(1, 7);

    private final CountDownLatch revoking = new CountDownLatch(1);
    private final CountDownLatch mayEnd = new CountDownLatch(1);
    private final AtomicBoolean fails = new AtomicBoolean();

    private LocalBrick brick;
    private BrickClient holder;
    private BrickClient owner;
    private BlockHandle handle;

    @BeforeEach
    void openWithASlowDevice(@TempDir Path directory) throws Exception {
        brick = LocalBrick.open(Pool.open(TestPools.create(directory.resolve("pool"))));
        brick.addKillListener(dead -> {
            revoking.countDown();
            try {
                mayEnd.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            if (fails.get()) {
                throw new IllegalStateException("a device that fails on purpose");
            }
            return List.of();
        });
        owner = brick.connect(OWNER);
        owner.alloc(BLOCK);
        holder = brick.connect(HOLDER);
        handle = holder.map(BLOCK, Access.READ_WRITE);
    }

    @AfterEach
    void close() throws Exception {
        mayEnd.countDown();
        fails.set(false);
        brick.close();
    }

    private interface Call {
        void run() throws Exception;
    }

    private static FutureTask<Void> start(Call call) {
        FutureTask<Void> task = new FutureTask<>(() -> {
            call.run();
            return null;
        });
        Thread.ofPlatform().daemon().start(task);
        return task;
    }

    /** Two calls, of which the second finds that the first has killed the handle and is waiting for the device. */
    private void shouldWait(Call first, Call second) throws Exception {
        FutureTask<Void> one = start(first);
        revoking.await();
        FutureTask<Void> two = new FutureTask<>(() -> {
            second.run();
            return null;
        });
        Thread waiting = Thread.ofPlatform().daemon().start(two);
        while (waiting.getState() != Thread.State.WAITING && !two.isDone()) {
            Thread.onSpinWait();
        }
        assertThat(two.isDone()).isFalse();
        mayEnd.countDown();
        one.get(30, TimeUnit.SECONDS);
        two.get(30, TimeUnit.SECONDS);
    }

    @Test
    void shouldNotFreeABlockThatIsStillBeingUnmapped() throws Exception {
        shouldWait(() -> holder.unmap(handle), () -> owner.free(BLOCK));
    }

    @Test
    void shouldNotReturnFromAFenceBeforeTheSessionsUnmapIsDone() throws Exception {
        shouldWait(() -> holder.unmap(handle), () -> owner.fence(HOLDER));
    }

    @Test
    void shouldNotReturnFromAFenceBeforeTheSessionsClientIsClosed() throws Exception {
        shouldWait(() -> holder.close(), () -> owner.fence(HOLDER));
    }

    @Test
    void shouldNotReturnFromAnUnmapBeforeTheFenceThatKilledTheHandle() throws Exception {
        shouldWait(() -> owner.fence(HOLDER), () -> holder.unmap(handle));
    }

    @Test
    void shouldKeepABlockWhoseHandlesCouldNotBeRevoked() throws Exception {
        fails.set(true);
        mayEnd.countDown();
        assertThatThrownBy(() -> holder.unmap(handle)).isInstanceOf(IllegalStateException.class);
        fails.set(false);
        owner.free(BLOCK); // asks the device again
        assertThat(owner.list(BlockId.of(1, 0), 10)).isEmpty();
    }

    @Test
    void shouldRefuseToFreeWhatADeviceMayStillReach() throws Exception {
        brick.addKillListener(dead -> List.copyOf(dead));
        mayEnd.countDown();
        holder.unmap(handle);
        assertThatThrownBy(() -> owner.free(BLOCK))
                .isInstanceOfSatisfying(
                        BrickException.class, e -> assertThat(e.reason()).isEqualTo(Reason.STILL_MAPPED));
        assertThat(owner.list(BlockId.of(1, 0), 10)).containsExactly(BLOCK.value());
    }
}
