package io.tesserafs.node.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.coherence.session.SessionCodec;
import io.tesserafs.coherence.token.FileTokens;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.coherence.token.OwnerLink;
import io.tesserafs.coherence.token.Resource;
import io.tesserafs.coherence.token.TokenCache;
import io.tesserafs.coherence.token.TokenMessage;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.fuse.FileSystem;
import io.tesserafs.fuse.SetAttr;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.OwnerFixture;
import io.tesserafs.node.namespace.VolumeService;
import io.tesserafs.node.namespace.VolumeService.Creator;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Three nodes change one volume under its tokens: whatever a node says it knows for certain is what the owner would say at that moment. */
class SharedKnowledgeTest {
    private static final int OPERATIONS = 3000;
    private static final int NODES = 3;
    private static final int NAMES = 12;

    /** A node that holds tokens, and knows things under them. */
    private static final class Node implements AutoCloseable {
        private final OwnedVolume owner;
        private final SessionId session;
        private final TokenCache tokens = new TokenCache(20);
        final RemoteVolume volume;
        private long number;

        Node(OwnedVolume owner, int node) throws Exception {
            this.owner = owner;
            this.session = new SessionId(0x100 + node);
            tokens.onRecall(new NothingCached());
            OwnerLink link = new OwnerLink() {
                @Override
                public void send(TokenMessage.ToOwner message) {
                    owner.token(session, message);
                }

                @Override
                public CompletableFuture<Long> connect(List<TokenMessage.Held> holds, Receiver receiver) {
                    try {
                        OwnedVolume.Attached attached =
                                owner.attach(session, false, new SessionCodec.Opening(node, 1, holds), end(receiver));
                        assertThat(attached).isNotNull();
                        return CompletableFuture.completedFuture(attached.sequence());
                    } catch (java.io.IOException e) {
                        throw new IllegalStateException(e);
                    }
                }
            };
            tokens.attach(link, tokens.detach()).join();
            volume = new RemoteVolume(
                    new OwnerCalls(this::call, new SessionCounters()), new KnownMetadata(tokens::isHeldSince));
        }

        private static NodeEnd end(OwnerLink.Receiver receiver) {
            return new QuietEnd() {
                @Override
                public OwnerLink.Receiver tokens() {
                    return receiver;
                }
            };
        }

        private ByteBuffer call(ByteBuffer request) {
            number++;
            return owner.call(session, number, number, request.duplicate().order(ByteOrder.LITTLE_ENDIAN));
        }

        interface Work {
            void run() throws FsException;
        }

        void under(Resource resource, Mode mode, Work work) throws Exception {
            FileTokens opened = tokens.open(resource);
            int ticket = opened.enter(0, FileTokens.TO_END, mode);
            try {
                work.run();
            } finally {
                opened.exit(ticket);
                opened.close();
            }
        }

        @Override
        public void close() {
            tokens.close();
        }
    }

    @TempDir
    Path directory;

    private Random random = new Random();
    private final List<Long> directories = new ArrayList<>(List.of(VolumeService.ROOT));
    private final List<Long> files = new ArrayList<>();
    /** By the step that is being made. */
    private final List<InodeAttr> changed = new ArrayList<>();

    private long clock;
    private long known;
    private VolumeService truth = Channels.volume(request -> request);

    private static byte[] name(int number) {
        return ("n" + number).getBytes(StandardCharsets.UTF_8);
    }

    private <T> T any(List<T> of) {
        return of.get(random.nextInt(of.size()));
    }

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(longs = {21, 22, 23, 24})
    void shouldKnowNothingThatIsNotSo(long seed) throws Exception {
        random = new Random(seed);
        List<Node> nodes = new ArrayList<>();
        try (OwnerFixture fixture = new OwnerFixture(directory);
                OwnedVolume owner = OwnedVolumes.owned(fixture.owner(), OwnedVolumes.PATIENT)) {
            truth = fixture.owner();
            for (int i = 1; i <= NODES; i++) {
                nodes.add(new Node(owner, i));
            }
            for (int i = 0; i < OPERATIONS; i++) {
                Node node = any(nodes);
                try {
                    step(node);
                } catch (FsException e) {
                    assertThat(e.errno()).isPositive(); // a name that exists, or does not
                }
                showEverywhere(node);
                for (Node each : nodes) {
                    check(each, fixture.owner(), i);
                }
            }
            assertThat(known).as("things known").isGreaterThan(OPERATIONS);
            nodes.forEach(Node::close);
        }
    }

    private void step(Node node) throws Exception {
        long dir = any(directories);
        byte[] name = name(random.nextInt(NAMES));
        long now = ++clock;
        switch (random.nextInt(12)) {
            case 0, 1 ->
                node.under(Resource.entries(dir), Mode.EXCLUSIVE, () -> {
                    boolean makesDirectory = random.nextInt(6) == 0;
                    int mode = makesDirectory ? InodeAttr.S_IFDIR | 0755 : InodeAttr.S_IFREG | 0644;
                    InodeAttr made = node.volume.create(dir, name, mode, 0, null, new Creator(0, 0), now);
                    (makesDirectory ? directories : files).add(made.ino());
                });
            case 2 ->
                node.under(Resource.entries(dir), Mode.EXCLUSIVE, () -> {
                    changed(node.volume.lookup(dir, name));
                    node.volume.unlink(dir, name, now);
                });
            case 3 ->
                node.under(Resource.entries(dir), Mode.EXCLUSIVE, () -> {
                    byte[] newName = name(random.nextInt(NAMES));
                    changed(node.volume.lookup(dir, name));
                    changed(node.volume.lookup(dir, newName));
                    node.volume.rename(dir, name, dir, newName, random.nextInt(3) & 2, now);
                });
            case 4 ->
                node.under(Resource.entries(dir), Mode.EXCLUSIVE, () -> {
                    if (!files.isEmpty()) {
                        changed(node.volume.link(any(files), dir, name, now));
                    }
                });
            case 5 -> {
                if (!files.isEmpty()) {
                    long ino = any(files);
                    SetAttr mode =
                            new SetAttr(SetAttr.MODE, FileSystem.NO_HANDLE, random.nextInt(01000), 0, 0, 0, 0, 0, 0);
                    node.under(Resource.attributes(ino), Mode.EXCLUSIVE, () -> node.volume.setattr(ino, mode, now));
                }
            }
            case 6, 7 -> node.under(Resource.entries(dir), Mode.SHARED, () -> list(node.volume, dir));
            default -> node.under(Resource.entries(dir), Mode.SHARED, () -> node.volume.lookup(dir, name));
        }
    }

    /** In parts, as a kernel does. */
    private void list(VolumeService volume, long dir) throws FsException {
        List<String> seen = new ArrayList<>();
        long[] at = new long[1];
        for (int more = 1; more > 0; ) {
            int most = 1 + random.nextInt(4);
            int before = seen.size();
            boolean plus = random.nextBoolean();
            VolumeService.EntrySink sink = (name, next, attr) -> {
                if (seen.size() - before == most) {
                    return false;
                }
                at[0] = next;
                return seen.add(attr.ino() + " " + new String(name, StandardCharsets.UTF_8));
            };
            if (plus) {
                volume.readdirPlus(dir, at[0], sink);
            } else {
                volume.readdir(dir, at[0], sink);
            }
            more = seen.size() - before;
        }
        List<String> there = new ArrayList<>();
        truth.readdir(
                dir, 0, (name, next, attr) -> there.add(attr.ino() + " " + new String(name, StandardCharsets.UTF_8)));
        assertThat(seen).isEqualTo(there);
    }

    private void changed(@Nullable InodeAttr attr) {
        if (attr != null) {
            changed.add(attr);
        }
    }

    /** Before a change of what has no token yet is answered. */
    private void showEverywhere(Node node) throws Exception {
        for (InodeAttr attr : changed) {
            Resource guard = attr.isDirectory() ? Resource.entries(attr.ino()) : Resource.attributes(attr.ino());
            node.under(guard, Mode.EXCLUSIVE, () -> {});
        }
        changed.clear();
    }

    private void check(Node node, VolumeService owner, int operation) {
        for (int i = 0; i < 4; i++) {
            long dir = any(directories);
            byte[] name = name(random.nextInt(NAMES));
            long ino = node.volume.knownName(dir, name);
            if (ino != VolumeService.UNKNOWN) {
                known++;
                assertThat(ino)
                        .as("operation %d, name %s in %d", operation, new String(name, StandardCharsets.UTF_8), dir)
                        .isEqualTo(inode(owner, dir, name));
            }
            long one = files.isEmpty() || random.nextBoolean() ? dir : any(files);
            InodeAttr attr = node.volume.known(one);
            if (attr != null) {
                known++;
                assertThat(attr).as("operation %d, inode %d", operation, one).isEqualTo(attributes(owner, attr));
            }
        }
    }

    private static long inode(VolumeService owner, long dir, byte[] name) {
        try {
            InodeAttr found = owner.lookup(dir, name);
            return found == null ? 0 : found.ino();
        } catch (FsException e) {
            throw new AssertionError("directory " + dir + " is gone", e);
        }
    }

    /** One that is gone is what it was. */
    private static InodeAttr attributes(VolumeService owner, InodeAttr otherwise) {
        try {
            return owner.getattr(otherwise.ino());
        } catch (FsException e) {
            return otherwise;
        }
    }
}
