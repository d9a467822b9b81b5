package io.tesserafs.node.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.coherence.session.SessionCodec;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fuse.FileSystem;
import io.tesserafs.fuse.SetAttr;
import io.tesserafs.node.namespace.Extent;
import io.tesserafs.node.namespace.ExtentRef;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.OwnerFixture;
import io.tesserafs.node.namespace.VolumeConfig;
import io.tesserafs.node.namespace.VolumeService;
import io.tesserafs.node.namespace.VolumeService.Creator;
import io.tesserafs.node.namespace.VolumeService.DataCommit;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Random changes over a channel, while answers get lost and the owner dies: every call answers as if nothing had happened. */
class ExactlyOnceTest {
    private static final int OPERATIONS = 1500;
    private static final int NAMES = 24;
    /** An owner with heirs keeps the space that the last one may have given to them, so every death costs some. */
    private static final long POOL_BYTES = 1L << 30;

    private static final SessionId SESSION = new SessionId(0xA1);

    @TempDir
    Path directory;

    /** A node's way to an owner that dies at the worst moments, in one thread. */
    private static final class Channel implements OwnerCalls.Channel, AutoCloseable {
        private final OwnerFixture fixture;
        private final Random faults;
        private final int oneIn;
        private OwnedVolume owner;
        private long number;
        private long deaths;
        private long lost;

        Channel(OwnerFixture fixture, Random faults, int oneIn) throws Exception {
            this.fixture = fixture;
            this.faults = faults;
            this.oneIn = oneIn;
            this.owner = elect(Map.of());
        }

        private OwnedVolume elect(Map<SessionId, Integer> inherited) throws Exception {
            fixture.owner().keepSessions(inherited.keySet());
            OwnedVolume elected = OwnedVolumes.owned(fixture.owner(), 1, OwnedVolumes.PATIENT, inherited);
            assertThat(elected.attach(
                            SESSION, false, new SessionCodec.Opening(7, deaths + 1, List.of()), new QuietEnd()))
                    .isNotNull();
            return elected;
        }

        private void ownerDies() throws IOException {
            deaths++;
            owner.close();
            fixture.crashAndRestart();
            try {
                owner = elect(Map.of(SESSION, 7));
            } catch (IOException e) {
                throw e;
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }

        private ByteBuffer ask(ByteBuffer request) {
            ByteBuffer answer =
                    owner.call(SESSION, number, number, request.duplicate().order(ByteOrder.LITTLE_ENDIAN));
            assertThat(answer).isNotNull();
            return answer;
        }

        private static VolumeWire.Op op(ByteBuffer request) {
            try {
                return VolumeWire.op(new WireIn(request.duplicate()));
            } catch (WireIn.MalformedException e) {
                throw new IllegalArgumentException(e);
            }
        }

        @Override
        public ByteBuffer call(ByteBuffer request) throws IOException {
            number++;
            if (number % 400 == 0) {
                fixture.checkpoint();
            }
            VolumeWire.Op op = op(request);
            boolean reserves = op == VolumeWire.Op.ALLOCATE; // reservations are the owner's, and go with it
            int fault = faults.nextInt(3 * oneIn);
            if (fault == 0 && !reserves && op != VolumeWire.Op.COMMIT) {
                ownerDies();
            }
            ByteBuffer answer = ask(request);
            if (fault == 1 && !reserves) {
                ownerDies();
                answer = ask(request);
            } else if (fault == 2) {
                lost++;
                answer = ask(request);
            }
            return answer;
        }

        @Override
        public void close() {
            owner.close();
        }
    }

    private record Outcome(List<String> results, List<String> tree) {}

    private Random random = new Random();
    private final List<Long> directories = new ArrayList<>();
    private final List<Long> files = new ArrayList<>();
    private final List<String> results = new ArrayList<>();
    private long clock;

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(longs = {11, 12, 13, 14})
    void shouldAnswerAsIfTheOwnerHadNeverDied(long seed) throws Exception {
        Outcome calm = run("calm", seed, 0);
        Outcome stormy = run("stormy", seed, 50);
        for (int i = 0; i < OPERATIONS; i++) {
            assertThat(stormy.results.get(i)).as("operation %d", i).isEqualTo(calm.results.get(i));
        }
        assertThat(stormy.tree).isEqualTo(calm.tree);
    }

    /** {@code oneIn}: of so many calls one meets each kind of fault; 0: none. */
    private Outcome run(String name, long seed, int oneIn) throws Exception {
        random = new Random(seed);
        directories.clear();
        directories.add(VolumeService.ROOT);
        files.clear();
        results.clear();
        clock = 1;
        try (OwnerFixture fixture = new OwnerFixture(
                        Files.createDirectory(directory.resolve(name)), POOL_BYTES, VolumeConfig.DEFAULT_MAX_INODES);
                Channel channel = new Channel(fixture, new Random(seed), oneIn == 0 ? 1 << 28 : oneIn)) {
            fixture.keepOrphans();
            RemoteVolume volume = Channels.volume(channel);
            for (int i = 0; i < OPERATIONS; i++) {
                results.add(step(volume));
            }
            if (oneIn != 0) {
                assertThat(channel.deaths).isGreaterThan(5);
                assertThat(channel.lost).isGreaterThan(5);
            }
            List<String> tree = new ArrayList<>();
            list(volume, VolumeService.ROOT, "", tree);
            assertThat(fixture.check().problems()).isEmpty();
            return new Outcome(List.copyOf(results), tree);
        }
    }

    private long any(List<Long> of) {
        return of.isEmpty() ? 999_999 : of.get(random.nextInt(of.size()));
    }

    private byte[] name() {
        return ("n" + random.nextInt(NAMES)).getBytes(StandardCharsets.UTF_8);
    }

    private String step(RemoteVolume volume) {
        int what = random.nextInt(12);
        long now = ++clock;
        try {
            return what + " "
                    + switch (what) {
                        case 0 -> made(volume, InodeAttr.S_IFREG | 0644, null, files, now);
                        case 1 -> made(volume, InodeAttr.S_IFDIR | 0755, null, directories, now);
                        case 2 -> made(volume, InodeAttr.S_IFLNK | 0777, name(), new ArrayList<>(), now);
                        case 3 -> volume.link(any(files), any(directories), name(), now);
                        case 4 -> volume.unlink(any(directories), name(), now);
                        case 5 -> volume.rmdir(any(directories), name(), now);
                        case 6, 7 ->
                            volume.rename(any(directories), name(), any(directories), name(), random.nextInt(3), now);
                        case 8 -> volume.setattr(any(files), mode(random.nextInt(01000)), now);
                        case 9 -> volume.truncate(any(files), random.nextInt(100_000), random.nextBoolean(), now);
                        case 10 -> xattr(volume, now);
                        default -> write(volume, now);
                    };
        } catch (FsException e) {
            return what + " fails " + e.errno();
        }
    }

    private InodeAttr made(RemoteVolume volume, int mode, byte[] target, List<Long> into, long now) throws FsException {
        InodeAttr attr = volume.create(any(directories), name(), mode, 0, target, new Creator(0, 0), now);
        into.add(attr.ino());
        return attr;
    }

    private static SetAttr mode(int mode) {
        return new SetAttr(SetAttr.MODE, FileSystem.NO_HANDLE, mode, 0, 0, 0, 0, 0, 0);
    }

    private String xattr(RemoteVolume volume, long now) throws FsException {
        long ino = any(files);
        byte[] key = ("user.k" + random.nextInt(3)).getBytes(StandardCharsets.UTF_8);
        if (random.nextBoolean()) {
            volume.setxattr(ino, key, new byte[] {(byte) now}, random.nextInt(3), now);
            return "set " + ino + Arrays.toString(volume.listxattr(ino));
        }
        volume.removexattr(ino, key, now);
        return "removed " + ino;
    }

    private InodeAttr write(RemoteVolume volume, long now) throws FsException {
        long ino = any(files);
        int bytes = 1 + random.nextInt(20_000);
        volume.forgetStock(); // it is of an owner that may have died
        ExtentRef ref = volume.allocate(bytes, new BrickId(1));
        return volume.commit(
                ino,
                new DataCommit(
                        List.of(new Extent(0, ref, bytes)),
                        new long[0],
                        bytes,
                        now,
                        now,
                        now,
                        random.nextBoolean(),
                        false));
    }

    private static void list(RemoteVolume volume, long dir, String path, List<String> into) throws FsException {
        List<InodeAttr> below = new ArrayList<>();
        List<String> names = new ArrayList<>();
        volume.readdir(dir, 0, (name, cookie, attr) -> {
            below.add(attr);
            names.add(path + "/" + new String(name, StandardCharsets.UTF_8));
            return true;
        });
        for (int i = 0; i < names.size(); i++) {
            InodeAttr attr = below.get(i);
            into.add(names.get(i) + " " + attr);
            if ((attr.mode() & InodeAttr.S_IFMT) == InodeAttr.S_IFDIR) {
                list(volume, attr.ino(), names.get(i), into);
            }
        }
    }
}
