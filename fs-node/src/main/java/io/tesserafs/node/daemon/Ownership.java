package io.tesserafs.node.daemon;

import io.tesserafs.coherence.membership.BrickRecord;
import io.tesserafs.coherence.membership.NodeId;
import io.tesserafs.coherence.session.SessionTerms;
import io.tesserafs.coherence.volume.SessionRegistry;
import io.tesserafs.coherence.volume.StaleEpochException;
import io.tesserafs.coherence.volume.VolumeElection;
import io.tesserafs.coherence.volume.VolumeInfo;
import io.tesserafs.coherence.volume.ZooKeeperManifestStore;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.config.NodeConfig.CoordinationConfig;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.LogUnreachableException;
import io.tesserafs.node.namespace.OwnerSession;
import io.tesserafs.node.namespace.VolumeConfig;
import io.tesserafs.node.namespace.VolumeOwner;
import io.tesserafs.node.session.OwnedVolume;
import io.tesserafs.node.session.SessionRecords;
import java.io.IOException;
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
 * This node's part in owning one volume: candidacy, and while it is elected, the owner with its sessions. Every node is a candidate; one that cannot own
 * the volume now (no copy of the log can be reached, its brick is full, another is to be the owner) steps aside and queues up again. Elections come one at a
 * time, on the election's thread.
 */
final class Ownership implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Ownership.class);
    /** Options of a volume in the registry. */
    static final String MAX_INODES = "maxInodes";

    private static final String LEASE_TERM_MS = "leaseTermMs";

    /** Until this node stands for election again after it stepped aside. */
    private static final long ASIDE_MS = 500;

    private static final long POLL_MS = 20;

    private final VolumeInfo info;
    private final Coordination coordination;
    private final ExportedBrick brick;
    private final NodeFabric fabric;
    private final Coordination.FailureListener onFailure;
    private final SessionRegistry registry;
    private final Runnable ownerDoubted;
    private final CompletableFuture<Void> firstTerm = new CompletableFuture<>();
    /** Guarded by this. */
    private @Nullable VolumeElection election;

    private volatile @Nullable Term term;
    /** The term that ZooKeeper does not confirm any more, if it has not ended yet. */
    private volatile @Nullable Term doubted;
    /** The session that this process has as a node of the volume, which another term inherits. */
    private volatile @Nullable SessionId ownSession;

    private volatile boolean closing;

    /** Between being elected and being deposed. */
    private record Term(long epoch, VolumeOwner owner, OwnedVolume volume, TermBricks bricks) {}

    Ownership(
            VolumeInfo info,
            Coordination coordination,
            ExportedBrick brick,
            NodeFabric fabric,
            Coordination.FailureListener onFailure,
            Runnable ownerDoubted) {
        this.ownerDoubted = ownerDoubted;
        this.info = info;
        this.coordination = coordination;
        this.brick = brick;
        this.fabric = fabric;
        this.onFailure = onFailure;
        this.registry = new SessionRegistry(coordination.cluster(), info.number());
    }

    /** Stands for election. */
    void start() throws IOException {
        candidate();
    }

    /** After {@link #start}: returns once this node has recovered the volume, or leaves that to another. */
    void awaitSettled(Duration timeout) throws StartException {
        long end = System.nanoTime() + timeout.toNanos();
        try {
            while (true) {
                try {
                    firstTerm.get(POLL_MS, TimeUnit.MILLISECONDS);
                    return;
                } catch (TimeoutException e) {
                    if (otherLeads()) {
                        return;
                    }
                    if (System.nanoTime() > end) {
                        throw new StartException(
                                "volume " + info.name() + " has not got an owner within " + timeout.toSeconds() + " s",
                                e);
                    }
                }
            }
        } catch (ExecutionException e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            throw new StartException(String.valueOf(cause.getMessage()), cause);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new StartException("interrupted", e);
        }
    }

    private synchronized void candidate() throws IOException {
        if (closing) {
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
    }

    private synchronized boolean otherLeads() {
        VolumeElection candidacy = election;
        return candidacy == null || candidacy.otherLeads();
    }

    /** Lets another candidate have it, and queues up behind the others. */
    private void stepAside() {
        resign();
        CompletableFuture.delayedExecutor(ASIDE_MS, TimeUnit.MILLISECONDS).execute(() -> {
            try {
                candidate();
            } catch (IOException e) {
                LOG.warn("volume {}: cannot stand for election, trying again: {}", info.name(), e.getMessage());
                stepAside();
            }
        });
    }

    private synchronized void resign() {
        VolumeElection candidacy = election;
        election = null;
        if (candidacy != null) {
            try {
                candidacy.close();
            } catch (IOException e) {
                LOG.warn("volume {}: the candidacy ends with this node's membership: {}", info.name(), e.getMessage());
            }
        }
    }

    private void elected(long epoch) {
        Term last = term;
        if (last != null) {
            over(last); // it was in doubt, and this settles it
        }
        SessionId self = OwnerSession.of(info.uuid(), epoch);
        TermBricks bricks = new TermBricks(fabric.fabric(), brick.brick().id(), self, fabric::othersUp);
        boolean begun = false;
        try {
            begun = begin(epoch, self, bricks);
        } catch (LogUnreachableException e) {
            LOG.info("{}; leaving it to another node", e.getMessage());
            firstTerm.complete(null); // it is not this node's to wait for
        } catch (IOException | FsException | RuntimeException e) {
            LOG.error("volume {} cannot be recovered", info.name(), e);
            firstTerm.completeExceptionally(e); // if this is how the daemon starts, it shall say so and end
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            if (!begun) {
                bricks.close();
                stepAside();
            }
        }
    }

    /** False if another node shall be the owner. */
    private boolean begin(long epoch, SessionId self, TermBricks bricks)
            throws IOException, FsException, InterruptedException {
        if (coordination
                .volumes()
                .find(info.number())
                .map(now -> now.state() != VolumeInfo.State.ACTIVE)
                .orElse(true)) {
            LOG.info("volume {} is being deleted", info.name());
            closing = true;
            return false;
        }
        ZooKeeperManifestStore manifests = new ZooKeeperManifestStore(coordination.cluster(), info.number());
        int heir = VolumeOwner.heir(manifests);
        if (heir != 0
                && heir != coordination.node().value()
                && brick.isRecovered() // else it may be the only one that can read the log
                && coordination.nodes().find(new NodeId(heir)).isPresent()) {
            LOG.info("volume {}: node {} is to own it", info.name(), heir);
            return false;
        }
        fabric.refresh(); // the node whose death brought this about is not to be asked first
        Map<SessionId, Integer> inherited = inherited(self);
        VolumeOwner owner = open(epoch, manifests, bricks, !inherited.isEmpty());
        boolean begun = false;
        try {
            takeOver(epoch, self, bricks, owner, inherited);
            begun = true;
        } finally {
            if (!begun) {
                owner.abandon();
            }
        }
        return true;
    }

    private void takeOver(
            long epoch, SessionId self, TermBricks bricks, VolumeOwner owner, Map<SessionId, Integer> inherited)
            throws IOException, FsException {
        owner.onFailure(() -> ownerFailed(owner));
        owner.keepSessions(inherited.keySet());
        if (inherited.isEmpty()) {
            owner.cutBeyondEnds();
        }
        OwnedVolume volume = new OwnedVolume(
                info.number(),
                epoch,
                owner,
                terms(),
                (victim, node) -> fabric.fence(self, victim),
                records(epoch),
                inherited,
                fallen(owner),
                () -> failed("the tokens of volume " + info.name() + " are damaged"));
        term = new Term(epoch, owner, volume, bricks);
        fabric.owners().add(volume);
        LOG.info("volume {}: owner in epoch {}, {}", info.name(), epoch, owner.report());
        firstTerm.complete(null);
    }

    private VolumeOwner open(long epoch, ZooKeeperManifestStore manifests, TermBricks bricks, boolean heirs)
            throws IOException, StaleEpochException {
        synchronized (brick.settling()) {
            VolumeOwner owner = VolumeOwner.open(
                    config(),
                    epoch,
                    manifests,
                    bricks,
                    brick.isSettled(info.number()),
                    heirs,
                    System.currentTimeMillis() * 1_000_000);
            brick.settled(info.number());
            return owner;
        }
    }

    private SessionRecords records(long epoch) {
        return new SessionRecords() {
            @Override
            public void add(SessionId session, int node) throws IOException {
                registry.add(session, node, epoch);
            }

            @Override
            public void remove(SessionId session) throws IOException {
                registry.remove(session);
            }
        };
    }

    /** The node that owned the volume last, if it is not a member any more; else 0. */
    private int fallen(VolumeOwner owner) throws IOException {
        int home = owner.report().lastHome();
        if (home == 0 || home == brick.brick().id().value()) {
            return 0;
        }
        Optional<NodeId> node = coordination.bricks().find(new BrickId(home)).map(BrickRecord::node);
        return node.isPresent() && coordination.nodes().find(node.get()).isEmpty()
                ? node.get().value()
                : 0;
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

    /**
     * Unless it was deposed, which ends it as well: then this node waits for its next term. An owner may hear of it from a brick, which the next one
     * has told, before it hears of it from ZooKeeper. Called under an owner's locks.
     */
    private void ownerFailed(VolumeOwner owner) {
        Term current = term;
        if (current != null && current.owner == owner) {
            Thread.ofPlatform().daemon().name("tessera-owner-end").start(() -> {
                if (current.equals(doubted) || owner.isReplaced()) {
                    over(current);
                } else if (current.equals(term)) {
                    failed("the owner of volume " + info.name() + " cannot go on");
                }
            });
        }
    }

    private void failed(String what) {
        if (!closing) {
            onFailure.failed(what, null);
        }
    }

    /**
     * Of a volume that a node with this configuration makes. The term of its leases is the volume's for good: an owner that had a shorter one than the last would
     * give on what nodes may still believe to hold.
     */
    static Map<String, String> options(CoordinationConfig config) {
        return Map.of(LEASE_TERM_MS, Long.toString(config.leaseTerm().toMillis()));
    }

    private SessionTerms terms() {
        String termMs = info.options().get(LEASE_TERM_MS);
        return termMs == null
                ? SessionTerms.DEFAULT
                : new SessionTerms(Integer.parseInt(termMs), SessionTerms.DEFAULT.marginMs());
    }

    private VolumeConfig config() {
        String maxInodes = info.options().getOrDefault(MAX_INODES, Long.toString(VolumeConfig.DEFAULT_MAX_INODES));
        return new VolumeConfig(info.name(), info.number(), info.uuid(), Long.parseLong(maxInodes));
    }

    /**
     * The ZooKeeper session ended: somebody else may own the volume by now. But if ZooKeeper is away for all, nobody does; so this node goes on for as long
     * as it can prove that it was not replaced. If it is elected anew, or cannot prove it, the term is over.
     */
    private void deposed() {
        Term doubtful = term;
        if (doubtful == null || closing) {
            return;
        }
        doubted = doubtful;
        ownerDoubted.run();
        Incumbent incumbent = new Incumbent(info.name(), doubtful.owner::isUnfenced, () -> over(doubtful));
        doubtful.volume.doubted(incumbent);
        incumbent.start();
    }

    private void over(Term ended) {
        synchronized (this) {
            if (!ended.equals(term)) {
                return;
            }
            term = null;
            doubted = null;
        }
        LOG.warn("volume {}: not its owner any more, epoch {} is over", info.name(), ended.epoch);
        fabric.owners().remove(ended.volume);
        ended.volume.close();
        ended.owner.abandon();
        ended.bricks.close();
    }

    /** Hands the volume on, in good order; {@code heir} is the node that shall have it, 0 for any. False if this node does not own it. */
    boolean handOn(int heir) throws IOException {
        Term ended = takeTerm();
        if (ended == null) {
            return false;
        }
        LOG.info("volume {}: handed on in epoch {}", info.name(), ended.epoch);
        try {
            end(ended, heir);
        } finally {
            stepAside();
        }
        return true;
    }

    private synchronized @Nullable Term takeTerm() {
        Term current = term;
        term = null;
        return current;
    }

    private void end(Term ended, int heir) throws IOException {
        fabric.owners().remove(ended.volume);
        ended.volume.close();
        try {
            ended.owner.close(heir);
        } finally {
            ended.bricks.close();
        }
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

    /** See {@link io.tesserafs.node.session.OwnerFinder#isVacant}. */
    boolean isVacant(long after) throws IOException {
        return registry.epoch() > after
                && VolumeOwner.lastEpoch(new ZooKeeperManifestStore(coordination.cluster(), info.number())) == after;
    }

    /** Makes everything durable and steps down. */
    @Override
    public void close() throws IOException {
        closing = true;
        Term current = takeTerm();
        try {
            if (current != null) {
                end(current, 0);
            }
        } finally {
            resign();
        }
    }
}
