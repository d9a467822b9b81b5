package io.tesserafs.node.namespace;

import io.tesserafs.coherence.volume.ManifestStore;
import io.tesserafs.coherence.volume.StaleEpochException;
import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickClient;
import io.tesserafs.fabric.brick.BrickException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.agrona.collections.LongHashSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How an owner comes to life: manifest, replay, reconciliation with the brick, first segment, and the clean-up that a crash left. */
final class OwnerStart {
    private static final Logger LOG = LoggerFactory.getLogger(OwnerStart.class);
    private static final int LIST_BATCH = 4096;
    private static final int ROOT_MODE = InodeAttr.S_IFDIR | 0755;

    private final VolumeConfig config;
    private final long epoch;
    private final ManifestStore manifests;
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
            BrickClient brick,
            boolean sameBoot,
            boolean heirs) {
        this.config = config;
        this.epoch = epoch;
        this.manifests = manifests;
        this.brick = brick;
        this.sameBoot = sameBoot;
        this.heirs = heirs;
    }

    static VolumeOwner open(
            VolumeConfig config,
            long epoch,
            ManifestStore manifests,
            BrickClient brick,
            boolean sameBoot,
            boolean heirs,
            long nowNs)
            throws IOException, StaleEpochException {
        return new OwnerStart(config, epoch, manifests, brick, sameBoot, heirs).open(nowNs);
    }

    private VolumeOwner open(long nowNs) throws IOException, StaleEpochException {
        ManifestStore.Versioned stored = manifests.read();
        boolean fresh = stored.bytes().length == 0;
        Manifest manifest = fresh ? Manifest.empty(epoch) : decode(stored.bytes());
        if (manifest.epoch() > epoch) {
            throw new StaleEpochException("the manifest is of epoch " + manifest.epoch() + ", ours is " + epoch);
        }
        try (OwnerBlocks reading = new OwnerBlocks(config, brick, 1)) {
            Recovery.Result found = new Recovery(reading::read, config.name(), config.uuid())
                    .replay(manifest, sameBoot, (lsn, e, payload) -> {});
            return start(manifest, stored.version(), found, fresh, nowNs);
        }
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
        Space space = new Space(brick.brick());
        Set<Long> referenced = new HashSet<>(found.checkpointBlocks());
        List<Manifest.Entry> used = manifest.segments().subList(0, found.segments());
        used.forEach(s -> referenced.add(s.block()));
        claimExtents(tables, space, referenced);
        Set<Long> allocated = listBlocks(brick, config);
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
            VolumeOwner owner = takeOver(manifest, version, found, fresh, space, blocks, allocated, nowNs);
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
            Space space,
            OwnerBlocks blocks,
            Set<Long> leaked,
            long nowNs)
            throws IOException, StaleEpochException {
        ManifestKeeper keeper = new ManifestKeeper(manifests, manifest, version);
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
        keeper.change(m -> m.withSegments(epoch, entries));
        if (heirs) {
            space.keepForHeirs(leaked);
        } else if (!leaked.isEmpty()) {
            brick.free(leaked.stream().map(BlockId::new).toArray(BlockId[]::new));
        }
        flushRecovered(recovered, blocks);
        LogWriter log = new LogWriter(epoch, first, found.lastLsn(), found.lastLsn());
        OwnerCore core = new OwnerCore(config, found.tables(), space, log);
        core.sequenceSource(blocks);
        found.tables().listener(space);
        OwnerKeeper upkeep = new OwnerKeeper(core, blocks, keeper, epoch, recovered, first, found.checkpointBlocks());
        firstRecords(core, blocks, fresh, nowNs);
        VolumeOwner owner = new VolumeOwner(
                core,
                blocks,
                upkeep,
                new VolumeOwner.RecoveryReport(
                        fresh,
                        found.replayed(),
                        found.lastLsn(),
                        found.torn(),
                        found.tables().inodeCount(),
                        orphans,
                        holes,
                        heirs ? 0 : leaked.size()));
        upkeep.start();
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

    private void claimExtents(Tables tables, Space space, Set<Long> referenced) throws RecoveryException {
        List<String> conflicts = new ArrayList<>();
        LongHashSet wholeBlocks = new LongHashSet();
        tables.forEach(inode -> {
            ExtentMap extents = inode.extents();
            for (int i = 0; extents != null && i < extents.count(); i++) {
                long block = extents.blockAt(i);
                String wrong = ExtentMap.ref(block, extents.packedAt(i)).brick().equals(brick.brick())
                        ? space.claim(block, extents.packedAt(i))
                        : "brick " + ExtentMap.ref(block, extents.packedAt(i)).brick() + " is not known";
                boolean whole = ExtentMap.capacity(extents.packedAt(i)) == BlockId.BLOCK_BYTES;
                boolean taken = whole ? !referenced.add(block) : wholeBlocks.contains(block);
                if (wrong == null && taken) {
                    wrong = "block " + new BlockId(block) + " is used twice";
                }
                referenced.add(block);
                if (whole) {
                    wholeBlocks.add(block);
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

    /** All blocks that the brick has for the volume. */
    static Set<Long> listBlocks(BrickClient brick, VolumeConfig config) throws BrickException {
        Set<Long> blocks = new HashSet<>();
        BlockId from = BlockId.of(config.number(), 0);
        while (true) {
            long[] batch = brick.list(from, LIST_BATCH);
            Arrays.stream(batch).forEach(blocks::add);
            if (batch.length < LIST_BATCH) {
                return blocks;
            }
            from = new BlockId(batch[batch.length - 1] + 1);
        }
    }

    /** The first transactions of the epoch: a new root, or the end of what a crash left half-done. */
    private void firstRecords(OwnerCore core, OwnerBlocks blocks, boolean fresh, long nowNs) throws IOException {
        core.lock.lock();
        try {
            if (fresh) {
                core.tx.putInode(
                        new InodeAttr(VolumeService.ROOT, ROOT_MODE, 2, 0, 0, 0, 0, 0, nowNs, nowNs, nowNs, nowNs));
                core.tx.setParent(VolumeService.ROOT, VolumeService.ROOT, 0);
                core.apply();
            }
            if (!heirs) {
                removeOrphans(core);
            }
            if (!fresh) {
                settleExtents(core, blocks);
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

    /** Extents whose data was not known to be durable: flushed now if memory survived, else holes. */
    private void settleExtents(OwnerCore core, OwnerBlocks blocks) throws FsException, BrickException {
        record Unsettled(long ino, long tile, long block, long packed, int durable) {}
        List<Unsettled> list = new ArrayList<>();
        core.tables.forEach(inode -> {
            ExtentMap extents = inode.extents();
            for (int i = 0; extents != null && i < extents.count(); i++) {
                if (extents.durableAt(i) < ExtentMap.validBytes(extents.packedAt(i))) {
                    list.add(new Unsettled(
                            inode.ino,
                            extents.tileAt(i),
                            extents.blockAt(i),
                            extents.packedAt(i),
                            extents.durableAt(i)));
                }
            }
        });
        if (sameBoot) {
            Set<Long> flushed = new HashSet<>();
            for (Unsettled extent : list) {
                if (flushed.add(extent.block)) {
                    blocks.flush(new BlockId(extent.block), 0, BlockId.BLOCK_BYTES);
                }
            }
        }
        for (Unsettled extent : list) {
            if (sameBoot) {
                core.tx.putExtent(
                        extent.ino, extent.tile, extent.block, extent.packed, ExtentMap.validBytes(extent.packed));
            } else if (extent.durable > 0) {
                core.tx.putExtent(
                        extent.ino,
                        extent.tile,
                        extent.block,
                        ExtentMap.withValid(extent.packed, extent.durable),
                        extent.durable);
                holes++;
            } else {
                core.tx.deleteExtents(extent.ino, extent.tile, extent.tile + 1);
                holes++;
            }
            applyIfLarge(core);
        }
        core.apply();
        if (holes > 0) {
            LOG.warn(
                    "volume {}: {} extents lost bytes that were never flushed; those read as zeros after the loss of power",
                    config.name(),
                    holes);
        }
    }
}
