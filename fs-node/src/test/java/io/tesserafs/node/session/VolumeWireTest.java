package io.tesserafs.node.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.coherence.session.SessionCodec;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fuse.FileSystem;
import io.tesserafs.fuse.SetAttr;
import io.tesserafs.node.namespace.Extent;
import io.tesserafs.node.namespace.ExtentRef;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.OwnerFixture;
import io.tesserafs.node.namespace.UnavailableException;
import io.tesserafs.node.namespace.VolumeService;
import io.tesserafs.node.namespace.VolumeService.Creator;
import io.tesserafs.node.namespace.VolumeService.DataCommit;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Calls on the wire: byte for byte, there and back, and damaged. */
class VolumeWireTest {
    private static final SessionId SESSION = new SessionId(0xA1);
    private static final int ROUNDS = 20_000;

    @TempDir
    Path directory;

    /** A call of a node. */
    private interface Call {
        void on(VolumeService volume) throws FsException;
    }

    private static byte[] bytes(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return bytes;
    }

    /** What the call sends. */
    private static byte[] request(Call call) throws FsException {
        byte[][] sent = new byte[1][];
        RemoteVolume volume = Channels.volume(request -> {
            sent[0] = bytes(request);
            throw new java.io.IOException("not sent");
        });
        try {
            call.on(volume);
        } catch (FsException e) {
            assertThat(e).hasMessageContaining("not sent");
        }
        return sent[0];
    }

    private static List<Call> calls() {
        byte[] name = {'f'};
        ExtentRef ref = new ExtentRef(new BrickId(1), BlockId.of(1, 3), 8192, 4096);
        DataCommit commit =
                new DataCommit(List.of(new Extent(2, ref, 100)), new long[] {7}, 5000, 1, 2, 3, true, false);
        SetAttr change = new SetAttr(SetAttr.MODE, FileSystem.NO_HANDLE, 0600, 1, 2, 3, 4, 5, 6);
        return List.of(
                v -> v.lookup(1, name),
                v -> v.getattr(2),
                v -> v.parent(1),
                v -> v.readlink(3),
                v -> v.readdir(1, 0, (n, next, attr) -> true),
                v -> v.create(1, name, InodeAttr.S_IFREG | 0644, 0, null, new Creator(5, 6), 7),
                v -> v.create(1, name, InodeAttr.S_IFLNK | 0777, 0, name, new Creator(5, 6), 7),
                v -> v.createOrphan(1, 0600, new Creator(5, 6), 7),
                v -> v.link(2, 1, name, 7),
                v -> v.unlink(1, name, 7),
                v -> v.rmdir(1, name, 7),
                v -> v.rename(1, name, 1, new byte[] {'g'}, 1, 7),
                v -> v.setattr(2, change, 7),
                v -> v.truncate(2, 100, true, 7),
                v -> v.getxattr(2, name),
                v -> v.listxattr(2),
                v -> v.setxattr(2, name, name, 0, 7),
                v -> v.removexattr(2, name, 7),
                v -> v.layout(2, 0, 10),
                v -> v.allocate(5000, new BrickId(1)),
                v -> v.release(ref),
                v -> v.commit(2, commit),
                v -> v.unreferenced(2),
                VolumeService::sync,
                VolumeService::statistics);
    }

    @Test
    void shouldEncodeCallsAsDocumented() throws FsException {
        assertThat(HexFormat.of().formatHex(request(v -> v.lookup(5, new byte[] {'a', 'b'}))))
                .isEqualTo("0200" + "0500000000000000" + "020000006162");
        assertThat(HexFormat.of()
                        .formatHex(request(v -> v.create(5, new byte[] {'a'}, 0x81A4, 9, null, new Creator(1, 2), 3))))
                .isEqualTo("0205" + "0500000000000000" + "0100000061" + "a4810000" + "09000000" + "00" + "01000000"
                        + "02000000" + "0300000000000000");
    }

    @Test
    void shouldReadBackWhatWasWritten() throws Exception {
        Random random = new Random(5);
        for (int i = 0; i < 500; i++) {
            InodeAttr attr = new InodeAttr(
                    random.nextLong(),
                    random.nextInt(),
                    random.nextInt(),
                    random.nextInt(),
                    random.nextInt(),
                    random.nextInt(),
                    random.nextLong(),
                    random.nextLong(),
                    random.nextLong(),
                    random.nextLong(),
                    random.nextLong(),
                    random.nextLong());
            int size = 4096 << random.nextInt(10);
            int slot = random.nextInt((2 << 20) / size);
            ExtentRef ref = new ExtentRef(
                    new BrickId(1 + random.nextInt(100)), BlockId.of(1, random.nextInt(1 << 20)), slot * size, size);
            DataCommit commit = new DataCommit(
                    List.of(new Extent(random.nextInt(1000), ref, random.nextInt(size + 1))),
                    random.longs(random.nextInt(5)).toArray(),
                    random.nextLong(),
                    random.nextLong(),
                    random.nextLong(),
                    random.nextLong(),
                    random.nextBoolean(),
                    random.nextBoolean());
            WireOut out = new WireOut();
            VolumeWire.attr(out, attr);
            VolumeWire.commit(out, commit);
            WireIn in = new WireIn(out.done());
            assertThat(VolumeWire.attr(in)).isEqualTo(attr);
            DataCommit back = VolumeWire.commit(in);
            in.end();
            assertThat(back.extents()).isEqualTo(commit.extents());
            assertThat(back).usingRecursiveComparison().isEqualTo(commit);
        }
    }

    private static byte[] damaged(byte[] message, Random random) {
        byte[] bytes = message.clone();
        for (int i = random.nextInt(4); i >= 0 && bytes.length > 2; i--) {
            int at = 2 + random.nextInt(bytes.length - 2);
            bytes[at] = switch (random.nextInt(3)) {
                case 0 -> (byte) random.nextInt();
                case 1 -> (byte) 0xFF;
                default -> 0;
            };
        }
        return random.nextInt(3) == 0 ? Arrays.copyOf(bytes, random.nextInt(bytes.length + 8)) : bytes;
    }

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(longs = {1, 2})
    void shouldSurviveEveryRequestThatIsDamaged(long seed) throws Exception {
        Random random = new Random(seed);
        List<byte[]> requests = new ArrayList<>();
        for (Call call : calls()) {
            requests.add(request(call));
        }
        try (OwnerFixture fixture = new OwnerFixture(directory);
                OwnedVolume owner = owner(fixture)) {
            for (int i = 1; i <= ROUNDS; i++) {
                byte[] request = damaged(requests.get(random.nextInt(requests.size())), random);
                ByteBuffer answer =
                        owner.call(SESSION, i, i, ByteBuffer.wrap(request).order(ByteOrder.LITTLE_ENDIAN));
                assertThat(answer)
                        .as("after %s the owner runs", HexFormat.of().formatHex(request))
                        .isNotNull();
                assertThat(answer.remaining()).isGreaterThanOrEqualTo(Integer.BYTES);
            }
            assertThat(fixture.check().problems()).isEmpty();
        }
    }

    private static OwnedVolume owner(OwnerFixture fixture) throws Exception {
        OwnedVolume owner = OwnedVolumes.owned(fixture.owner(), OwnedVolumes.PATIENT);
        assertThat(owner.attach(SESSION, false, new SessionCodec.Opening(7, 1, List.of()), new QuietEnd()))
                .isNotNull();
        return owner;
    }

    @Test
    void shouldTellWhatMayBeTriedAgainFromWhatFails() throws Exception {
        try (OwnerFixture fixture = new OwnerFixture(directory)) {
            fixture.expectHeirs();
            fixture.crashAndRestart();
            try (OwnedVolume owner = owner(fixture)) {
                long[] number = new long[1];
                RemoteVolume volume = Channels.volume(request -> {
                    number[0]++;
                    return java.util.Objects.requireNonNull(
                            owner.call(SESSION, number[0], number[0], request.order(ByteOrder.LITTLE_ENDIAN)));
                });
                long ino = volume.create(1, new byte[] {'f'}, InodeAttr.S_IFREG | 0644, 0, null, new Creator(0, 0), 1)
                        .ino();
                assertThatThrownBy(() -> volume.commit(ino, commitOn(new BrickId(9))))
                        .isInstanceOf(UnavailableException.class);
                assertThatThrownBy(() -> volume.commit(ino, commitOn(new BrickId(1))))
                        .isInstanceOf(FsException.class)
                        .isNotInstanceOf(UnavailableException.class);
            }
        }
    }

    private static DataCommit commitOn(BrickId brick) {
        ExtentRef ref = new ExtentRef(brick, BlockId.of(1, 1 << 20), 0, 4096);
        return new DataCommit(List.of(new Extent(0, ref, 100)), new long[0], 100, 1, 1, 1, true, false);
    }

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(longs = {3, 4})
    void shouldTakeNonsenseForAnAnswerAsAnErrorOnly(long seed) {
        Random random = new Random(seed);
        List<Call> calls = calls();
        for (int i = 0; i < ROUNDS; i++) {
            byte[] answer = new byte[random.nextInt(120)];
            random.nextBytes(answer);
            Arrays.fill(answer, 0, Math.min(answer.length, random.nextInt(12)), (byte) 0);
            int[] asked = new int[1];
            RemoteVolume volume = Channels.volume(request -> {
                if (++asked[0] > 100) {
                    throw new java.io.IOException("asked too often");
                }
                return ByteBuffer.wrap(answer).order(ByteOrder.LITTLE_ENDIAN);
            });
            try {
                calls.get(random.nextInt(calls.size())).on(volume);
            } catch (FsException e) {
                assertThat(e.errno()).isBetween(1, 4095);
            }
        }
    }
}
