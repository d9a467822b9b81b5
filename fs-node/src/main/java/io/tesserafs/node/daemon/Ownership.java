package io.tesserafs.node.daemon;

import io.tesserafs.coherence.session.SessionTerms;
import io.tesserafs.coherence.volume.SessionRegistry;
import io.tesserafs.coherence.volume.VolumeElection;
import io.tesserafs.coherence.volume.VolumeInfo;
import io.tesserafs.coherence.volume.ZooKeeperManifestStore;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.VolumeConfig;
import io.tesserafs.node.namespace.VolumeOwner;
import io.tesserafs.node.session.OwnedVolume;
import java.io.IOException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This node's part in owning one volume: candidacy, and while it is elected, the owner with its sessions. The node whose brick has the volume's log is
 * the only candidate for now. Elections come one at a time, on the election's thread.
 */
final class Ownership implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Ownership.class);
    /** Options of a volume in the registry. */
    static final String MAX_INODES = "maxInodes";

    /** Nodes commit every five seconds what they have from the last owner; a multiple of that. */
    private static final long ADOPTION_S = 60;

    /** The brick that has the log. */
    static final String BRICK = "brick";

    private final VolumeInfo info;
    private final Coordination coordination;
    private final ExportedBrick brick;
    private final NodeFabric fabric;
    private final Coordination.FailureListener onFailure;
    private final SessionRegistry registry;
    private final SecureRandom random = new SecureRandom();
    private final CompletableFuture<Void> firstTerm = new CompletableFuture<>();
    private @Nullable VolumeElection election;
    private volatile @Nullable Term term;
    /** The session that this process has as a node of the volume, which another term inherits. */
    private volatile @Nullable SessionId ownSession;

    private volatile boolean closing;

    /** Between being elected and being deposed. */
    private record Term(long epoch, VolumeOwner owner, OwnedVolume volume, BrickClient client) {}

    Ownership(
            VolumeInfo info,
            Coordination coordination,
            ExportedBrick brick,
            NodeFabric fabric,
            Coordination.FailureListener onFailure) {
        this.info = info;
        this.coordination = coordination;
        this.brick = brick;
        this.fabric = fabric;
        this.onFailure = onFailure;
        this.registry = new SessionRegistry(coordination.cluster(), info.number());
    }

    private boolean isCandidate() {
        String home = info.options().get(BRICK);
        return home == null || home.equals(Integer.toString(brick.brick().id().value()));
    }

    /** Stands for election if this node can own the volume, and then returns once it has recovered it. */
    void start(Duration timeout) throws IOException, StartException {
        if (!isCandidate()) {
            return;
        }
        VolumeElection candidacy = new VolumeElection(
                coordination.cluster(),
                info.number(),
                coordination.node(),
                coordination.incarnation(),
                new VolumeElection.Listener() {
                    @Override
                    public void onElected(long newEpoch) {
                        elected(newEpoch);
                    }

                    @Override
                    public void onDeposed() {
                        deposed();
                    }
                });
        election = candidacy;
        candidacy.start();
        try {
            firstTerm.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new StartException(
                    "volume " + info.name() + " has not got an owner within " + timeout.toSeconds() + " s", e);
        } catch (ExecutionException e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            throw new StartException(String.valueOf(cause.getMessage()), cause);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new StartException("interrupted", e);
        }
    }

    private void elected(long epoch) {
        try {
            SessionId self = new SessionId(random.nextLong() | 1);
            BrickClient client = brick.fabric().connect(brick.brick().id(), self);
            Map<SessionId, Integer> inherited = inherited(self);
            VolumeOwner owner = VolumeOwner.open(
                    config(),
                    epoch,
                    new ZooKeeperManifestStore(coordination.cluster(), info.number()),
                    client,
                    firstTerm.isDone() || brick.nothingLost(),
                    !inherited.isEmpty(),
                    System.currentTimeMillis() * 1_000_000);
            owner.onFailure(() -> ownerFailed(owner));
            owner.keepSessions(inherited.keySet());
            if (inherited.isEmpty()) {
                owner.cutBeyondEnds();
            }
            OwnedVolume volume = new OwnedVolume(
                    info.number(),
                    epoch,
                    owner,
                    SessionTerms.DEFAULT,
                    (victim, node) -> fabric.fence(self, victim),
                    new OwnedVolume.Records() {
                        @Override
                        public void add(SessionId session, int node) throws IOException {
                            registry.add(session, node);
                        }

                        @Override
                        public void remove(SessionId session) throws IOException {
                            registry.remove(session);
                        }
                    },
                    inherited,
                    () -> failed("the tokens of volume " + info.name() + " are damaged"));
            term = new Term(epoch, owner, volume, client);
            if (!inherited.isEmpty()) {
                CompletableFuture.delayedExecutor(ADOPTION_S, TimeUnit.SECONDS).execute(() -> endAdoption(owner));
            }
            fabric.owners().add(volume);
            LOG.info("volume {}: owner in epoch {}, {}", info.name(), epoch, owner.report());
            firstTerm.complete(null);
        } catch (IOException | FsException | RuntimeException e) {
            LOG.error("volume {} cannot be recovered", info.name(), e);
            if (!firstTerm.completeExceptionally(e)) {
                failed("volume " + info.name() + " cannot be recovered");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Sessions of the last owner that may still be alive. Those of this node's earlier processes are not. */
    private Map<SessionId, Integer> inherited(SessionId self) throws IOException, InterruptedException {
        Map<SessionId, Integer> sessions = new HashMap<>();
        for (Map.Entry<SessionId, Integer> entry : registry.list().entrySet()) {
            SessionId session = entry.getKey();
            boolean dead = entry.getValue() == coordination.node().value() && !session.equals(ownSession);
            if (dead) {
                fabric.fence(self, session);
                registry.remove(session);
            } else {
                sessions.put(session, entry.getValue());
            }
        }
        return sessions;
    }

    private void endAdoption(VolumeOwner owner) {
        Term current = term;
        if (current != null && current.owner == owner) {
            owner.freeUnadopted();
        }
    }

    /** Unless it was deposed, which ends it as well: then this node waits for its next term. */
    private void ownerFailed(VolumeOwner owner) {
        Term current = term;
        if (current != null && current.owner == owner) {
            failed("the owner of volume " + info.name() + " cannot go on");
        }
    }

    private void failed(String what) {
        if (!closing) {
            onFailure.failed(what, null);
        }
    }

    private VolumeConfig config() {
        String maxInodes = info.options().getOrDefault(MAX_INODES, Long.toString(VolumeConfig.DEFAULT_MAX_INODES));
        return new VolumeConfig(info.name(), info.number(), info.uuid(), Long.parseLong(maxInodes));
    }

    /** The ZooKeeper session ended: somebody else may own the volume by now, so this node must not write another byte. */
    private void deposed() {
        Term ended = term;
        term = null;
        if (ended == null || closing) {
            return;
        }
        LOG.warn("volume {}: not its owner any more, epoch {} is over", info.name(), ended.epoch);
        fabric.owners().remove(ended.volume);
        ended.volume.close();
        ended.owner.abandon();
        ended.client.close();
    }

    void ownSession(SessionId session) {
        ownSession = session;
    }

    /** The owner, if that is this node. */
    Optional<VolumeOwner> owner() {
        return Optional.ofNullable(term).map(Term::owner);
    }

    /** The owner's side of the sessions, if that is this node. */
    Optional<OwnedVolume> volume() {
        return Optional.ofNullable(term).map(Term::volume);
    }

    long epoch() {
        Term current = term;
        return current == null ? 0 : current.epoch;
    }

    SessionRegistry registry() {
        return registry;
    }

    /** Makes everything durable and steps down. */
    @Override
    public void close() throws IOException {
        closing = true;
        Term current = term;
        term = null;
        try {
            if (current != null) {
                fabric.owners().remove(current.volume);
                current.volume.close();
                current.owner.close();
            }
        } finally {
            VolumeElection candidacy = election;
            if (candidacy != null) {
                candidacy.close();
            }
            if (current != null) {
                current.client.close();
            }
        }
    }
}
