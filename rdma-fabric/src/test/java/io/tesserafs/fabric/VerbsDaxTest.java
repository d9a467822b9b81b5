package io.tesserafs.fabric;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.BrickInfo.Persistence;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.Provider;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.pmem.DaxDevices;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.fabric.verbs.KeyPolicy;
import io.tesserafs.fabric.verbs.VerbsNode;
import io.tesserafs.fabric.verbs.rdmacore.DeviceSurvey;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Bricks on persistent memory, by RDMA where the kernel lets devices reach it. */
@Tag("rdma")
@Timeout(180)
class VerbsDaxTest {
    private static final BrickId ID = new BrickId(7);
    private static final int PAGE = 4096;

    private static LocalBrick brick(Path path) throws Exception {
        Pool.create(path, 2 * Pool.MIN_BYTES, "test", ID.value());
        return LocalBrick.open(Pool.open(path));
    }

    /** Returns who has written and flushed through a client what it reads again. */
    private static Provider writeAndRead(LocalBrick brick, KeyPolicy policy, int at, int length) throws Exception {
        try (VerbsNode target = VerbsNode.at("10.77.0.1", new PeerId(1, 1), policy);
                VerbsNode initiator = VerbsNode.at("10.77.0.2", new PeerId(2, 2))) {
            target.tcp().export(brick);
            boolean exported = target.verbs().export(brick);
            var connection = initiator.connections().get(target.transport().start());
            try (BrickClient client = initiator.verbs().connect(connection, ID, new SessionId(1))) {
                BlockId block = BlockId.of(1, 1);
                client.alloc(block);
                assertThat(client.info().persistence()).isEqualTo(Persistence.CACHE_LINE_WRITE_BACK);
                BlockHandle handle = client.map(block, Access.READ_WRITE);
                byte[] bytes = new byte[length];
                new Random(5).nextBytes(bytes);
                MemorySegment written = MemorySegment.ofArray(bytes);
                handle.write(at, written, 0, length);
                handle.flush(at, length);
                MemorySegment seen = MemorySegment.ofArray(new byte[length]);
                handle.read(at, seen, 0, length);
                assertThat(seen.mismatch(written)).isEqualTo(-1);
                MemorySegment memory = Objects.requireNonNull(
                        brick.connect(new SessionId(2)).map(block, Access.READ).memory());
                assertThat(memory.asSlice(at, length).mismatch(written)).isEqualTo(-1);
                assertThat(client.provider() == Provider.VERBS).isEqualTo(exported);
                return client.provider();
            }
        }
    }

    @Test
    void shouldReachADeviceByRdma() throws Exception {
        try (LocalBrick brick = brick(DaxDevices.wiped(DaxDevices.FIRST))) {
            assertThat(writeAndRead(brick, KeyPolicy.BEST, 1000, 300_000)).isEqualTo(Provider.VERBS);
        }
    }

    private static LocalBrick onFileSystem() throws Exception {
        Path path = DaxDevices.FILE_SYSTEM.resolve("pool");
        Files.deleteIfExists(path);
        return brick(path);
    }

    /** Devices may not pin pages of a filesystem with DAX, and what soft-RoCE does without is wrong. */
    @Test
    void shouldReachAFileWithDaxByTcp() throws Exception {
        try (LocalBrick brick = onFileSystem()) {
            assertThat(writeAndRead(brick, KeyPolicy.BEST, 1000, 300_000)).isEqualTo(Provider.TCP);
        }
    }

    /** Whole pages are put in the right place even by soft-RoCE; kernels before 6.15 do not page on demand. */
    @Test
    void shouldReachAFileWithDaxByRdmaIfTheDevicePagesOnDemand() throws Exception {
        boolean onDemand = DeviceSurvey.all().getFirst().pagesOnDemand();
        System.out.println("soft-RoCE pages on demand: " + onDemand);
        KeyPolicy policy = new KeyPolicy(Optional.empty(), true);
        try (LocalBrick brick = onFileSystem()) {
            assertThat(writeAndRead(brick, policy, PAGE, 75 * PAGE))
                    .isEqualTo(onDemand ? Provider.VERBS : Provider.TCP);
        }
    }
}
