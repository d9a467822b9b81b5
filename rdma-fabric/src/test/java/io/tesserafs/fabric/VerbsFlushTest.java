package io.tesserafs.fabric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException.Reason;
import io.tesserafs.fabric.brick.FlushRange;
import io.tesserafs.fabric.brick.Transfer;
import io.tesserafs.fabric.brick.TransferMemory;
import io.tesserafs.fabric.pmem.DaxDevices;
import io.tesserafs.fabric.verbs.rdmacore.DeviceAttributes;
import io.tesserafs.fabric.verbs.rdmacore.DeviceSurvey;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * The same with a brick on persistent memory and devices that do FLUSH: soft-RoCE since Linux 6.2, the libraries since rdma-core 45. Skipped elsewhere, with
 * such a device after a flush that goes the other way.
 */
class VerbsFlushTest extends VerbsFabricTest {
    private static final int BYTES = 300_000;

    private final MemorySegment bytes = MemorySegment.ofArray(new byte[BYTES]);

    @Override
    Path poolPath() throws Exception {
        return DaxDevices.wiped(DaxDevices.FIRST);
    }

    private long flushesByDevice() {
        return initiator.verbs().traffic().flushesByDevice();
    }

    @BeforeAll
    static void needsADeviceThatDoesIt() throws Exception {
        assumeTrue(
                DeviceSurvey.all()
                        .getFirst()
                        .attributes()
                        .map(DeviceAttributes::flushes)
                        .orElse(false),
                "the RDMA device does no FLUSH");
    }

    @BeforeEach
    void flushOnce() throws Exception {
        byte[] random = new byte[BYTES];
        new Random(6).nextBytes(random);
        bytes.copyFrom(MemorySegment.ofArray(random));
        try (BrickClient client = fabric.connect(ID, SESSION);
                BrickClient local = brick.connect(OTHER)) {
            client.alloc(block(77));
            BlockHandle handle = client.map(block(77), Access.READ_WRITE);
            handle.write(1000, bytes, 0, BYTES);
            handle.flush(1000, BYTES);
            MemorySegment memory = local.map(block(77), Access.READ).memory();
            assertThat(memory.asSlice(1000, BYTES).mismatch(bytes)).isEqualTo(-1);
            client.free(block(77));
        }
        assumeTrue(flushesByDevice() > 0, "the libraries do no FLUSH");
    }

    @Test
    void shouldFlushEachRangeByTheDevice() throws Exception {
        long before = flushesByDevice();
        try (BrickClient client = fabric.connect(ID, SESSION)) {
            client.alloc(block(1));
            BlockHandle handle = client.map(block(1), Access.READ_WRITE);
            handle.write(0, bytes, 0, BYTES);
            handle.flush(0, 1);
            handle.flush(1, BYTES - 1);
            handle.write(BYTES, bytes, 0, 10);
            handle.flush(0, BYTES + 10);
            assertThat(flushesByDevice() - before).isEqualTo(3);
            handle.flush(0, BYTES + 11);
            assertThat(flushesByDevice() - before).as("with a byte of before").isEqualTo(3);
        }
    }

    @Test
    void shouldFlushByTheDeviceWhatWasWrittenTogether() throws Exception {
        try (BrickClient client = fabric.connect(ID, SESSION)) {
            client.alloc(block(1));
            BlockHandle handle = client.map(block(1), Access.READ_WRITE);
            handle.write(0, bytes, 0, 10);
            MemorySegment known = TransferMemory.allocate(BYTES);
            client.writeAll(List.of(
                    new Transfer(handle, 10, List.of(known.asSlice(0, 100), known.asSlice(100))),
                    new Transfer(handle, 10 + BYTES, List.of(known))));
            long before = flushesByDevice();
            client.flushAll(List.of(new FlushRange(handle, 0, 10 + 2 * BYTES)));
            assertThat(flushesByDevice() - before).isEqualTo(1);
        }
    }

    /** As who takes over a log does, with what its last owner wrote. */
    @Test
    void shouldCallTheTargetForWhatOthersWrote() throws Exception {
        try (BrickClient writer = fabric.connect(ID, SESSION);
                BrickClient heir = fabric.connect(ID, OTHER)) {
            writer.alloc(block(1));
            writer.map(block(1), Access.READ_WRITE).write(0, bytes, 0, BYTES);
            long before = flushesByDevice();
            heir.map(block(1), Access.READ_WRITE).flush(0, BYTES);
            assertThat(flushesByDevice()).isEqualTo(before);
        }
    }

    @Test
    void shouldNotFlushThroughADeadHandle() throws Exception {
        try (BrickClient client = fabric.connect(ID, SESSION);
                BrickClient other = fabric.connect(ID, OTHER)) {
            client.alloc(block(1));
            BlockHandle handle = client.map(block(1), Access.READ_WRITE);
            handle.write(0, bytes, 0, BYTES);
            other.free(block(1));
            refused(Reason.DEAD_HANDLE, () -> handle.flush(0, BYTES));
        }
    }
}
