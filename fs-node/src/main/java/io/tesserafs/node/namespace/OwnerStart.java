package io.tesserafs.node.namespace;

import io.tesserafs.coherence.volume.ManifestStore;
import io.tesserafs.coherence.volume.StaleEpochException;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.agrona.collections.LongHashSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How an owner comes to life: manifest, fence, replay, reconciliation with the brick, first segment, and the clean-up that a crash left.
 *
 * <p>The epoch was raised before, so no earlier owner can change the manifest any more. It may still append at home, if that is its own brick and out of
 * reach; but it acknowledges nothing that is not on the mirror as well, if there is one. So one of the two is enough: what was acknowledged is there, and
 * once the sessions of the earlier owners are fenced there, nothing is acknowledged that is not seen here.
 */
final class OwnerStart {
    private static final Logger LOG = LoggerFactory.getLogger(OwnerStart.class);
    private static final int ROOT_MODE = InodeAttr.S_IFDIR | 0755;

    private final VolumeConfig config;
    private final long epoch;
    private final ManifestStore manifests;
    private final OwnerBricks bricks;
    /** Of this node. */
    private final BrickClient brick;

    private final boolean sameBoot;
    /** See {@link VolumeOwner#open}. */
    private final boolean heirs;

    private long orphans;
    private long holes;

    private OwnerStart(
            VolumeConfig config,
            long epoch,
            ManifestStore manifests,
            OwnerBricks bricks,
            boolean sameBoot,
            boolean heirs)
            throws BrickException {
        this.config = config;
        this.epoch = epoch;
        this.manifests = manifests;
        this.bricks = bricks;
        this.brick = bricks.client(bricks.local());
        this.sameBoot = sameBoot;
        this.heirs = heirs;
    }

    static VolumeOwner open(
            VolumeConfig config,
            long epoch,
            ManifestStore manifests,
            OwnerBricks bricks,
            boolean sameBoot,
            boolean heirs,
            long nowNs)
            throws IOException, StaleEpochException {
        return new OwnerStart(config, epoch, manifests, bricks, sameBoot, heirs).open(nowNs);
    }

    private VolumeOwner open(long nowNs) throws IOException, StaleEpochException {
        ManifestStore.Versioned stored = manifests.read();
        boolean fresh = stored.bytes().length == 0;
        Manifest manifest = fresh ? Manifest.empty(epoch) : decode(stored.bytes());
        if (manifest.epoch() > epoch) {
            throw new StaleEpochException("the manifest is of epoch " + manifest.epoch() + ", ours is " + epoch);
        }
        Recovery.Result found = fresh ? read(manifest, bricks.local()) : readAny(manifest);
        return start(manifest, stored.version(), found, fresh, nowNs);
    }

    private Recovery.Result read(Manifest manifest, BrickId source) throws IOException {
        try (OwnerBlocks reading = new OwnerBlocks(config, bricks.client(source), 1)) {
            return source.equals(bricks.local())
                    ? replay(reading, manifest, sameBoot)
                    : fetch(reading, manifest, source);
        }
    }

    private Recovery.Result replay(OwnerBlocks reading, Manifest manifest, boolean nothingLost)
            throws RecoveryException {
        return new Recovery(reading::read, config.name(), config.uuid())
                .replay(manifest, nothingLost, (lsn, e, payload) -> {});
    }

    /** A brick that has lost memory gives others nothing before this is settled; its own node can own the volume. */
    private Recovery.Result fetch(OwnerBlocks reading, Manifest manifest, BrickId source) throws IOException {
        try {
            Recovery.Result found = replay(reading, manifest, true);
            bringHome(manifest, found, source);
            return found;
        } catch (RecoveryException | BrickException e) {
            BrickException reason =
                    e instanceof BrickException b ? b : e.getCause() instanceof BrickException cause ? cause : null;
            if (reason != null && reason.reason() == BrickException.Reason.UNREACHABLE) {
                throw new LogUnreachableException(
                        "volume " + config.name() + ": its log cannot be read: " + reason.getMessage(), e);
            }
            throw e;
        }
    }

    /** Fences all owners that may still believe to be it on one brick that has the whole log, and reads it. This node's, if it has it. */
    private Recovery.Result readAny(Manifest manifest) throws IOException {
        List<BrickId> copies = new ArrayList<>();
        for (int number : new int[] {manifest.home(), manifest.mirror()}) {
            if (number != 0) {
                BrickId copy = new BrickId(number);
                copies.add(copy);
            }
        }
        // First what is near, last what is likely to be dead: nothing is granted while this waits for it.
        List<BrickId> up = bricks.others();
        copies.sort(Comparator.comparingInt(copy -> copy.equals(bricks.local()) ? 0 : up.contains(copy) ? 1 : 2));
        List<IOException> failures = new ArrayList<>();
        for (BrickId copy : copies) {
            try {
                OwnerSession.fence(bricks, copy, config.uuid(), manifest.epoch(), epoch);
                return read(manifest, copy);
            } catch (BrickException | LogUnreachableException e) {
                LOG.info("volume {}: brick {}, which has the log: {}", config.name(), copy, e.getMessage());
                failures.add(e);
            }
        }
        throw new LogUnreachableException(
                "volume " + config.name() + ": its log is on brick b" + manifest.home()
                        + (manifest.mirror() == 0 ? "" : " and brick b" + manifest.mirror())
                        + ", which cannot be reached",
                failures.getLast());
    }

    /** The log goes on at this node's brick; so it gets what there is so far. */
    private void bringHome(Manifest manifest, Recovery.Result found, BrickId source) throws BrickException {
        List<BlockId> wanted = new ArrayList<>();
        found.checkpointBlocks().forEach(block -> wanted.add(new BlockId(block)));
        manifest.segments().subList(0, found.segments()).forEach(s -> wanted.add(new BlockId(s.block())));
        for (BlockId id : wanted) {
            LogMirror.bringHome(bricks, source, id);
        }
        LOG.info("volume {}: {} blocks of its log brought here from brick {}", config.name(), wanted.size(), source);
    }

    private Manifest decode(byte[] bytes) throws RecoveryException {
        try {
            return Manifest.decode(bytes);
        } catch (Manifest.BadManifestException e) {
            throw new RecoveryException("volume " + config.name() + ": " + e.getMessage(), e);
        }
    }

    private VolumeOwner start(Manifest manifest, int version, Recovery.Result found, boolean fresh, long nowNs)
            throws IOException, StaleEpochException {
        Tables tables = found.tables();
        Spaces spaces = new Spaces(brick.brick(), heirs);
        Set<Long> referenced = new HashSet<>(found.checkpointBlocks());
        List<Manifest.Entry> used = manifest.segments().subList(0, found.segments());
        used.forEach(s -> referenced.add(s.block()));
        claimExtents(tables, spaces, referenced);
        OwnerSession.fence(bricks, bricks.local(), config.uuid(), manifest.epoch(), epoch);
        Set<Long> allocated = SpaceKeeper.list(brick, config);
        for (long block : referenced) {
            if (!allocated.contains(block)) {
                throw new RecoveryException("volume " + config.name() + ": block " + new BlockId(block)
                        + " is in use, but brick " + brick.brick() + " does not have it");
            }
        }
        allocated.removeAll(referenced);
        long nextSequence = Math.max(tables.nextBlock(), found.maxSequence() + 1);
        for (long leaked : allocated) {
            nextSequence = Math.max(nextSequence, new BlockId(leaked).sequence() + 1);
        }
        // Leaked blocks are freed only after the new epoch is in force: a deposed owner may still use them until then.
        OwnerBlocks blocks = new OwnerBlocks(config, brick, nextSequence);
        boolean started = false;
        try {
            VolumeOwner owner = takeOver(manifest, version, found, fresh, spaces, blocks, allocated, nowNs);
            started = true;
            return owner;
        } finally {
            if (!started) {
                blocks.close();
            }
        }
    }

    private VolumeOwner takeOver(
            Manifest manifest,
            int version,
            Recovery.Result found,
            boolean fresh,
            Spaces spaces,
            OwnerBlocks blocks,
            Set<Long> leaked,
            long nowNs)
            throws IOException, StaleEpochException {
        ManifestKeeper keeper = new ManifestKeeper(manifests, manifest, version);
        long firstSequence = blocks.nextSequence();
        long sequence = manifest.segments().stream()
                        .mapToLong(Manifest.Entry::sequence)
                        .max()
                        .orElse(0)
                + 1;
        BlockId id = firstBlock(blocks, heirs ? new HashSet<>() : leaked);
        LogWriter.Segment first = blocks.formatSegment(id, epoch, sequence, manifest);
        List<Manifest.Entry> recovered = manifest.segments().subList(0, found.segments());
        List<Manifest.Entry> entries = new ArrayList<>(recovered);
        entries.add(first.entry());
        keeper.change(m -> m.takenOver(epoch, brick.brick().value(), entries));
        spaces.local().info(brick.info());
        spaces.local().reconciled(leaked, System.nanoTime());
        flushRecovered(recovered, blocks);
        LogWriter log = new LogWriter(epoch, first, found.lastLsn(), found.lastLsn());
        OwnerCore core = new OwnerCore(config, found.tables(), spaces, log);
        core.sequenceSource(blocks);
        found.tables().listener(spaces);
        OwnerKeeper upkeep = new OwnerKeeper(
                core,
                blocks,
                bricks,
                keeper,
                epoch,
                firstSequence,
                manifest.epoch(),
                recovered,
                first,
                found.checkpointBlocks());
        upkeep.space().reclaim(spaces.local());
        firstRecords(core, fresh, nowNs);
        upkeep.start();
        boolean settled = false;
        try {
            settleExtents(upkeep.settler().extents());
            upkeep.settler().settleSoon();
            settled = true;
        } finally {
            if (!settled) {
                upkeep.stop();
            }
        }
        VolumeOwner owner = new VolumeOwner(
                core,
                blocks,
                bricks,
                upkeep,
                new VolumeOwner.RecoveryReport(
                        fresh,
                        manifest.home(),
                        found.replayed(),
                        found.lastLsn(),
                        found.torn(),
                        found.tables().inodeCount(),
                        orphans,
                        holes,
                        heirs ? 0 : leaked.size()));
        upkeep.wake();
        return owner;
    }

    /** A full brick must still come up: then a leaked block serves. */
    private BlockId firstBlock(OwnerBlocks blocks, Set<Long> leaked) throws BrickException {
        BlockId id = blocks.grant(1)[0];
        try {
            brick.alloc(id);
            return id;
        } catch (BrickException e) {
            if (e.reason() != BrickException.Reason.NO_SPACE || leaked.isEmpty()) {
                throw e;
            }
            long reuse = leaked.iterator().next();
            leaked.remove(reuse);
            return new BlockId(reuse);
        }
    }

    /** What a dead process appended is in memory, but perhaps not on the device; new records build on it. */
    private void flushRecovered(List<Manifest.Entry> segments, OwnerBlocks blocks) throws BrickException {
        if (!sameBoot) {
            return;
        }
        for (Manifest.Entry entry : segments) {
            blocks.flush(new BlockId(entry.block()), 0, BlockId.BLOCK_BYTES);
        }
    }

    /** {@code referenced}: gets this brick's blocks that extents use; has those of the log. */
    private void claimExtents(Tables tables, Spaces spaces, Set<Long> referenced) throws RecoveryException {
        List<String> conflicts = new ArrayList<>();
        LongHashSet taken = new LongHashSet();
        LongHashSet wholeBlocks = new LongHashSet();
        referenced.forEach(taken::add);
        tables.forEach(inode -> {
            ExtentMap extents = inode.extents();
            for (int i = 0; extents != null && i < extents.count(); i++) {
                long block = extents.blockAt(i);
                BrickId where = ExtentMap.brick(extents.packedAt(i));
                String wrong = spaces.of(where).claim(block, extents.packedAt(i));
                boolean whole = ExtentMap.capacity(extents.packedAt(i)) == BlockId.BLOCK_BYTES;
                boolean twice = whole ? !taken.add(block) : wholeBlocks.contains(block);
                if (wrong == null && twice) {
                    wrong = "block " + new BlockId(block) + " is used twice";
                }
                taken.add(block);
                if (whole) {
                    wholeBlocks.add(block);
                }
                if (where.equals(brick.brick())) {
                    referenced.add(block);
                }
                if (wrong != null && conflicts.size() < 10) {
                    conflicts.add("inode " + inode.ino + " tile " + extents.tileAt(i) + ": " + wrong);
                }
            }
        });
        if (!conflicts.isEmpty()) {
            throw new RecoveryException("volume " + config.name() + ": " + String.join("; ", conflicts));
        }
    }

    /** The first transactions of the epoch: a new root, or the end of what a crash left half-done. */
    private void firstRecords(OwnerCore core, boolean fresh, long nowNs) throws IOException {
        core.lock.lock();
        try {
            core.noteSequences();
            if (fresh) {
                core.tx.putInode(
                        new InodeAttr(VolumeService.ROOT, ROOT_MODE, 2, 0, 0, 0, 0, 0, nowNs, nowNs, nowNs, nowNs));
                core.tx.setParent(VolumeService.ROOT, VolumeService.ROOT, 0);
                core.apply();
            }
            if (!heirs) {
                removeOrphans(core);
            }
        } catch (FsException e) {
            throw new RecoveryException("volume " + config.name() + ": " + e.getMessage(), e);
        } finally {
            core.lock.unlock();
        }
    }

    private void removeOrphans(OwnerCore core) throws FsException {
        List<Long> found = new ArrayList<>();
        core.tables.forEach(inode -> {
            if (inode.nlink == 0) {
                found.add(inode.ino);
            }
        });
        for (long ino : found) {
            core.tx.deleteInode(ino);
            applyIfLarge(core);
        }
        core.apply();
        orphans = found.size();
    }

    private static void applyIfLarge(OwnerCore core) throws FsException {
        if (core.tx.length() > OwnerCore.MAX_TRANSACTION_BYTES / 2) {
            core.apply();
        }
    }

    /**
     * Extents of this node's brick whose data was not known to be durable: flushed now if memory survived, else holes. Those on other bricks are looked after
     * later, see {@link OwnerKeeper}.
     */
    private void settleExtents(LooseExtents extents) throws IOException {
        try {
            if (sameBoot) {
                extents.makeDurable(bricks.local(), bricks);
                return;
            }
            List<LooseExtent> lost = extents.find(bricks.local(), Integer.MAX_VALUE);
            extents.drop(lost);
            holes = lost.size();
        } catch (FsException e) {
            throw new RecoveryException("volume " + config.name() + ": " + e.getMessage(), e);
        }
        if (holes > 0) {
            LOG.warn(
                    "volume {}: {} extents lost bytes that were never flushed; those read as zeros after the loss of power",
                    config.name(),
                    holes);
        }
    }
}
