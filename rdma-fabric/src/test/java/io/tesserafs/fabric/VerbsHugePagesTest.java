package io.tesserafs.fabric;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.brick.Access;
import io.tesserafs.fabric.brick.BlockHandle;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.Provider;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.pmem.Pool;
import io.tesserafs.fabric.verbs.KeyPolicy;
import io.tesserafs.fabric.verbs.Revocation;
import io.tesserafs.fabric.verbs.VerbsNode;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Bricks in huge pages, by RDMA; on file systems that this mounts, with pages that it reserves. */
@Tag("rdma")
@Timeout(180)
class VerbsHugePagesTest {
    private static final BrickId ID = new BrickId(7);
    private static final long PAGE_BYTES = 2 << 20;
    /** No more than what docs/rdma.md says. */
    private static final long PAGES = Pool.MIN_BYTES / PAGE_BYTES;

    private static final Path RESERVED = Path.of("/proc/sys/vm/nr_hugepages");

    @TempDir
    Path directory;

    private boolean mounted;
    private String reservedBefore = "";

    private static void run(String... command) throws Exception {
        Process process = new ProcessBuilder(command).inheritIO().start();
        assertThat(process.waitFor()).as(String.join(" ", command)).isZero();
    }

    private void mount(String type, String options) throws Exception {
        reservedBefore = Files.readString(RESERVED).strip();
        if (type.equals("hugetlbfs")) {
            Files.writeString(RESERVED, String.valueOf(PAGES));
        }
        run("mount", "-t", type, "-o", options, "none", directory.toString());
        mounted = true;
    }

    @AfterEach
    void unmount() throws Exception {
        if (mounted) {
            run("umount", directory.toString());
        }
        Files.writeString(RESERVED, reservedBefore);
    }

    /** KiB of a line about the mapping of the pool. */
    private long mapped(String key) throws IOException {
        Pattern line = Pattern.compile("[^\n]*"
                + Pattern.quote(directory.resolve("pool").toString()) + "\n(?:\\w+:[^\n]*\n)*?" + key + ": +(\\d+) kB");
        Matcher all = line.matcher(Files.readString(Path.of("/proc/self/smaps")));
        assertThat(all.find()).as(key).isTrue();
        return Long.parseLong(all.group(1));
    }

    private void writeAndRead(Revocation revocation) throws Exception {
        Path path = directory.resolve("pool");
        Pool.create(path, Pool.MIN_BYTES, "test", ID.value());
        try (LocalBrick brick = LocalBrick.open(Pool.open(path));
                VerbsNode target = VerbsNode.at("10.77.0.1", new PeerId(1, 1), KeyPolicy.of(revocation));
                VerbsNode initiator = VerbsNode.at("10.77.0.2", new PeerId(2, 2))) {
            target.tcp().export(brick);
            assertThat(target.verbs().export(brick)).isTrue();
            var connection = initiator.connections().get(target.transport().start());
            try (BrickClient client = initiator.verbs().connect(connection, ID, new SessionId(1))) {
                BlockId block = BlockId.of(1, 1);
                client.alloc(block);
                BlockHandle handle = client.map(block, Access.READ_WRITE);
                byte[] bytes = new byte[BlockId.BLOCK_BYTES];
                new Random(5).nextBytes(bytes);
                MemorySegment written = MemorySegment.ofArray(bytes);
                handle.write(0, written, 0, bytes.length);
                handle.flush(0, bytes.length);
                MemorySegment seen = MemorySegment.ofArray(new byte[bytes.length]);
                handle.read(0, seen, 0, bytes.length);
                assertThat(seen.mismatch(written)).isEqualTo(-1);
                assertThat(client.provider()).isEqualTo(Provider.VERBS);
                assertThat(Math.max(mapped("KernelPageSize") << 10, mapped("ShmemPmdMapped") << 10))
                        .isGreaterThanOrEqualTo(PAGE_BYTES);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "hugetlbfs, 'pagesize=2M', MEMORY_WINDOW",
        "hugetlbfs, 'pagesize=2M', REGISTRATION",
        "tmpfs, 'huge=always,size=256M', MEMORY_WINDOW",
        "tmpfs, 'huge=always,size=256M', REGISTRATION"
    })
    void shouldReachHugePagesByRdma(String type, String options, Revocation revocation) throws Exception {
        mount(type, options);
        writeAndRead(revocation);
    }
}
