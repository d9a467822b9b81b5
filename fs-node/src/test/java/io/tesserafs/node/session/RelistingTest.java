package io.tesserafs.node.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.coherence.token.TokenCache;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.OwnerFixture;
import io.tesserafs.node.namespace.VolumeService;
import io.tesserafs.node.namespace.VolumeService.Creator;
import io.tesserafs.node.namespace.VolumeService.EntrySink;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A directory is listed while its owner comes to an end. */
@Timeout(60)
class RelistingTest {
    private static final int NODE = 1;
    private static final List<String> NAMES = List.of("a", "b", "c", "d");

    @TempDir
    Path directory;

    private final List<InodeAttr> attributes = new ArrayList<>();
    private final List<String> taken = new ArrayList<>();
    private int most = Integer.MAX_VALUE;
    private final Relisting listing = new Relisting((name, next, attr) -> {
        taken.add(new String(name, StandardCharsets.UTF_8));
        return taken.size() < most;
    });

    @BeforeEach
    void inodes() throws Exception {
        try (OwnerFixture fixture = new OwnerFixture(directory)) {
            for (String name : NAMES) {
                attributes.add(create(fixture.owner(), name));
            }
        }
    }

    private static byte[] bytes(String name) {
        return name.getBytes(StandardCharsets.UTF_8);
    }

    private static InodeAttr create(VolumeService service, String name) throws FsException {
        return service.create(VolumeService.ROOT, bytes(name), InodeAttr.S_IFREG | 0644, 0, null, new Creator(0, 0), 1);
    }

    private void owner(EntrySink sink, String... names) {
        for (String name : names) {
            int index = NAMES.indexOf(name);
            if (!sink.entry(bytes(name), 16 + index, attributes.get(index))) {
                return;
            }
        }
    }

    @Test
    void shouldGoOnWhereTheLastOwnerEnded() throws FsException {
        owner(listing, "a", "b");
        listing.again();
        owner(listing, "a", "b", "c", "d");
        listing.done();
        assertThat(taken).isEqualTo(NAMES);
    }

    @Test
    void shouldNotGoBeyondWhatTheCallerWants() {
        most = 2;
        owner(listing, "a", "b", "c", "d");
        listing.again();
        owner(listing, "a", "b", "c", "d");
        assertThatCode(listing::done).doesNotThrowAnyException();
        assertThat(taken).containsExactly("a", "b");
    }

    @Test
    void shouldFailIfTheNextOwnerKnowsOfLess() {
        owner(listing, "a", "b");
        listing.again();
        owner(listing, "a");
        assertThatThrownBy(listing::done).isInstanceOf(FsException.class);
    }

    @Test
    void shouldFailIfTheNextOwnerSaysSomethingElse() {
        owner(listing, "a", "b");
        listing.again();
        owner(listing, "a", "c", "d");
        assertThatThrownBy(listing::done).isInstanceOf(FsException.class);
        assertThat(taken).containsExactly("a", "b");
    }

    @Test
    void shouldBeMadeByTheNextOwnerIfThisOneHasStopped() throws Exception {
        Path pool = java.nio.file.Files.createDirectory(directory.resolve("next"));
        try (OwnerFixture fixture = new OwnerFixture(pool);
                TokenCache tokens = new TokenCache(10)) {
            tokens.onRecall(new NothingCached());
            for (String name : NAMES) {
                create(fixture.owner(), name);
            }
            AtomicReference<OwnedVolume> owner =
                    new AtomicReference<>(OwnedVolumes.owned(fixture.owner(), OwnedVolumes.PATIENT));
            OwnerFinder finder = volume -> {
                OwnedVolume here = owner.get();
                if (here == null || here.isClosed()) {
                    throw new IOException("not ready");
                }
                return new OwnerFinder.Whereabouts(here, null);
            };
            try (NodeSession session = new NodeSession(1, NODE, finder, new NodeEndpoint(), tokens, new QuietNode())) {
                session.locks().onLost(lock -> {});
                session.start();
                assertThat(session.awaitAttached(TimeUnit.MINUTES.toMillis(1))).isTrue();
                VolumeService service = session.service();
                SessionId id = session.id();
                owner.get().close();
                fixture.crashAndRestart();
                owner.set(OwnedVolumes.owned(fixture.owner(), 2, OwnedVolumes.PATIENT, Map.of(id, NODE)));
                service.readdir(VolumeService.ROOT, 0, (name, next, attr) -> {
                    taken.add(new String(name, StandardCharsets.UTF_8));
                    return true;
                });
                assertThat(taken).isEqualTo(NAMES);
                assertThat(session.id()).isEqualTo(id);
            } finally {
                owner.get().close();
            }
        }
    }
}
