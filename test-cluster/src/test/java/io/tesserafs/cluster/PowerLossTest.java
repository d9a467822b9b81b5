package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * A host loses its memory, and another owns the volume when it comes back. The loss is made by hand: the daemon is killed, bytes in its pool that nobody flushed are replaced,
 * and the pool's header gets the boot id of another boot.
 */
@Tag("cluster")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class PowerLossTest {
    private static final long BETWEEN_ASKING_NS = Duration.ofMillis(300).toNanos();
    private static final Duration LIMIT = Duration.ofSeconds(90);
    private static final int BYTES = 1 << 20;
    private static final int PAGE = 4096;
    /** At something that a flush in the background, every few seconds, may come before. */
    private static final int ATTEMPTS = 4;

    private static final byte OLD = 'X';

    private static final ObjectMapper MAPPER = new ObjectMapper();
    /** The kernel tells of a loss, then the daemon does. */
    private static final int TOLD_AT_MOST = 2;

    // Layout of a pool's header.
    private static final int HEADER_BYTES = 512;
    private static final long[] HEADERS = {0, 64 << 10};
    private static final int BOOT_AT = 144;
    private static final int CRC_AT = 508;

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.apart("power", "512M", 2).lease(Duration.ofSeconds(12));

    private final NetNode survivor = CLUSTER.network().nodes().get(0);
    private final NetNode victim = CLUSTER.network().nodes().get(1);

    /** With a mirror of the log: else the volume waits for that node if it dies. */
    private void own(NetNode node) {
        long end = System.nanoTime() + LIMIT.toNanos();
        while (true) {
            Command.Result moved = survivor.ask("volume", "owner", "move", Integer.toString(node.number()));
            Command.Result owner = survivor.ask("volume", "owner", "--json");
            if (owner.status() == 0 && isOwnedWithMirror(owner.output(), node)) {
                return;
            }
            assertThat(System.nanoTime())
                    .as(() -> "time when node " + node.number() + " did not own the volume with a mirror yet, but:\n"
                            + moved.output() + owner.output())
                    .isLessThan(end);
            LockSupport.parkNanos(BETWEEN_ASKING_NS);
        }
    }

    private static boolean isOwnedWithMirror(String answer, NetNode node) {
        try {
            JsonNode owner = MAPPER.readTree(answer);
            return owner.path("node").asInt() == node.number()
                    && owner.path("mirrorBrick").asInt() != 0;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @AfterEach
    void heal() {
        CLUSTER.network().heal();
    }

    private static Path at(NetNode node, Path directory) {
        return node.mount().resolve(directory.getFileName());
    }

    private static byte[] filled(int content) {
        byte[] bytes = new byte[BYTES];
        Arrays.fill(bytes, (byte) content);
        return bytes;
    }

    private static void write(Path file, int content, boolean durably) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(filled(content)));
            if (durably) {
                channel.force(true);
            }
        }
    }

    /** The owner's log since the last checkpoint. There may be no owner yet. */
    private String log() {
        long end = System.nanoTime() + LIMIT.toNanos();
        Command.Result result = survivor.ask("log", "dump", "main");
        while (result.status() != 0 && System.nanoTime() < end) {
            result = survivor.ask("log", "dump", "main");
        }
        return result.expectSuccess().output();
    }

    /** Whether what a log says last of the first tile of a file is that it is not durable. */
    private static boolean isLoose(Object ino, String log) {
        return log.lines()
                .filter(line -> line.contains("extent of " + ino + " tile 0 "))
                .reduce((first, second) -> second)
                .orElse("")
                .contains(" durable 0");
    }

    /** The host boots, without what {@code lost} pages held. */
    private void loseMemory(int lost) throws IOException {
        try (FileChannel pool = FileChannel.open(
                victim.directory().resolve("pool"), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            byte[] old = new byte[PAGE];
            Arrays.fill(old, OLD);
            ByteBuffer page = ByteBuffer.allocate(PAGE);
            for (long at = 0; at < pool.size(); at += PAGE) {
                page.clear();
                pool.read(page, at);
                if (allAre(page.array(), lost)) {
                    pool.write(ByteBuffer.wrap(old), at);
                }
            }
            for (long at : HEADERS) {
                ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
                pool.read(header, at);
                header.putLong(BOOT_AT, header.getLong(BOOT_AT) + 1);
                CRC32C crc = new CRC32C();
                crc.update(header.array(), 0, CRC_AT);
                header.putInt(CRC_AT, (int) crc.getValue());
                pool.write(header.clear(), at);
            }
        }
    }

    private static boolean allAre(byte[] bytes, int content) {
        for (byte each : bytes) {
            if (each != content) {
                return false;
            }
        }
        return true;
    }

    /** A file that was committed and not flushed, by a node that was killed before it did that, and owned the volume. */
    private Path killWithALooseFile(Path directory, int content) throws IOException {
        String log = "";
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            own(victim);
            Path file = Files.createTempFile(at(victim, directory), "loose", "");
            Object ino = Files.getAttribute(file, "unix:ino");
            FileChannel open = FileChannel.open(file, StandardOpenOption.WRITE);
            try {
                open.write(ByteBuffer.wrap(filled(content)));
                open.write(ByteBuffer.allocate(1));
                open.truncate(BYTES); // what is cut must be known to the owner, but it need not be durable
                victim.kill();
            } finally {
                assertThatThrownBy(open::close).isInstanceOf(IOException.class);
            }
            log = log();
            if (isLoose(ino, log)) {
                return at(survivor, directory).resolve(file.getFileName());
            }
            CLUSTER.network().heal(); // it was flushed in the background at that very moment
        }
        throw new AssertionError("nothing is loose after " + ATTEMPTS + " attempts; the log is:\n" + log);
    }

    @Test
    void shouldReadZerosWhereBytesWereNeverDurable() throws IOException {
        Path directory = CLUSTER.workDirectory("zeros");
        write(at(victim, directory).resolve("durable"), 'D', true);
        Path loose = killWithALooseFile(directory, 'L');
        loseMemory('L');
        CLUSTER.network().heal();
        for (NetNode node : List.of(survivor, victim)) {
            assertThat(Files.readAllBytes(at(node, directory).resolve("durable")))
                    .isEqualTo(filled('D'));
            assertThat(Files.readAllBytes(at(node, directory).resolve(loose.getFileName())))
                    .isEqualTo(filled(0));
        }
        CLUSTER.expectCleanFsck();
    }

    /**
     * After {@link #killWithALooseFile}. If the log says nothing of the file any more, a checkpoint came: not before several owners more, which is longer than a
     * flush takes.
     */
    private void awaitDurable(Object ino) {
        long end = System.nanoTime() + LIMIT.toNanos();
        String log = log();
        while (isLoose(ino, log)) {
            assertThat(System.nanoTime())
                    .as("time when " + ino + " was not durable yet; the log is:\n" + log)
                    .isLessThan(end);
            log = log();
        }
    }

    @Test
    void shouldKeepBytesThatADeadDaemonLeftInMemory() throws IOException {
        Path directory = CLUSTER.workDirectory("kept");
        Path loose = killWithALooseFile(directory, 'K');
        Object ino = Files.getAttribute(loose, "unix:ino");
        CLUSTER.network().heal();
        assertThat(Files.readAllBytes(loose)).isEqualTo(filled('K'));
        awaitDurable(ino); // the owner flushes them, as nobody else will
        victim.kill();
        loseMemory('?');
        CLUSTER.network().heal();
        assertThat(Files.readAllBytes(loose)).isEqualTo(filled('K'));
    }

    /**
     * Whether bytes are lost that were written to a host which then lost its memory: not if they were flushed in the background at that very moment. If they
     * are, fsync says so, and then succeeds. It may fail for another reason, as when the session ended: so that they are lost is read from the log.
     */
    private boolean losesWhatIsWritten(Path here) throws IOException {
        Object ino = Files.getAttribute(here, "unix:ino");
        long before = lossesLogged(ino);
        try (FileChannel open = FileChannel.open(here, StandardOpenOption.WRITE)) {
            open.write(ByteBuffer.wrap(filled('W')));
            victim.kill();
            loseMemory('W');
            CLUSTER.network().heal();
            int told = toldByFsync(open);
            boolean lost = lossesLogged(ino) > before;
            if (lost) {
                assertThat(told).as("failures of fsync").isPositive();
            }
            return lost;
        }
    }

    /** How often fsync fails before it succeeds. */
    private static int toldByFsync(FileChannel open) throws IOException {
        for (int told = 0; ; told++) {
            try {
                open.force(true);
                return told;
            } catch (IOException e) {
                if (told == TOLD_AT_MOST) {
                    throw e;
                }
            }
        }
    }

    private long lossesLogged(Object ino) throws IOException {
        Path log = survivor.directory().resolve("log/tesserad.log");
        return Files.readAllLines(log).stream()
                .filter(line -> line.contains("inode " + ino + ":") && line.contains("lost with the memory"))
                .count();
    }

    /** On the victim's brick. */
    private Path writtenByVictim(Path directory) throws IOException {
        own(survivor);
        write(at(victim, directory).resolve("f"), 'D', true);
        return at(survivor, directory).resolve("f");
    }

    @Test
    void shouldSayThatBytesWrittenToAnotherHostAreLost() throws IOException {
        Path directory = CLUSTER.workDirectory("lost");
        Path here = writtenByVictim(directory);
        boolean said = false;
        for (int attempt = 0; !said && attempt < ATTEMPTS; attempt++) {
            said = losesWhatIsWritten(here);
        }
        assertThat(said).isTrue();
        write(here, 'W', true);
        assertThat(Files.readAllBytes(at(victim, directory).resolve("f"))).isEqualTo(filled('W'));
    }

    @Test
    void shouldSaveWhatWasWrittenToAnotherHostWhoseDaemonCameBack() throws IOException {
        Path directory = CLUSTER.workDirectory("saved");
        Path here = writtenByVictim(directory);
        try (FileChannel open = FileChannel.open(here, StandardOpenOption.WRITE)) {
            open.write(ByteBuffer.wrap(filled('W')));
            victim.kill();
            CLUSTER.network().heal();
            open.force(true);
        }
        assertThat(Files.readAllBytes(at(victim, directory).resolve("f"))).isEqualTo(filled('W'));
    }
}
