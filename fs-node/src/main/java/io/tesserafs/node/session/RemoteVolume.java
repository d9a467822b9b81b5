package io.tesserafs.node.session;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.SetAttr;
import io.tesserafs.node.namespace.Extent;
import io.tesserafs.node.namespace.ExtentRef;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.VolumeService;
import io.tesserafs.node.session.KnownMetadata.Span;
import io.tesserafs.node.session.VolumeWire.Op;
import io.tesserafs.node.session.WireIn.MalformedException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The owner of a volume on another node. Calls wait for it, but for what is known already. Thread-safe. */
final class RemoteVolume implements VolumeService {
    private static final Logger LOG = LoggerFactory.getLogger(RemoteVolume.class);
    /** Entries in one answer at most: what one READDIR of the kernel holds. */
    private static final int READDIR_ENTRIES = 1024;
    /** In the answer that begins a directory: perhaps the caller wants no more. */
    private static final int READDIR_ENTRIES_AT_FIRST = 128;
    /** Cookies of entries are not below; a smaller one stands before them all. */
    private static final int FIRST_COOKIE = 16;

    private final OwnerCalls calls;
    private final KnownMetadata known;
    private final ReservedSpace space;

    /** @param known learns from every answer */
    RemoteVolume(OwnerCalls calls, KnownMetadata known) {
        this.calls = calls;
        this.known = known;
        this.space = new ReservedSpace(calls);
    }

    @Override
    public boolean mayWait() {
        return true;
    }

    @Override
    public @Nullable InodeAttr known(long ino) {
        return known.attributes(ino);
    }

    @Override
    public long knownName(long parent, byte[] name) {
        return known.name(parent, name);
    }

    @Override
    public @Nullable InodeAttr lookup(long parent, byte[] name) throws FsException {
        long ino = known.name(parent, name);
        InodeAttr attr = ino == UNKNOWN || ino == 0 ? null : known.attributes(ino);
        if (ino == 0 || attr != null) {
            return attr;
        }
        InodeAttr[] found = new InodeAttr[1];
        calls.ask(VolumeWire.request(Op.LOOKUP).i64(parent).bytes(name), (in, span) -> {
            long sequence = in.i64();
            boolean exists = in.flag();
            if (exists) {
                found[0] = attr(in, span);
            }
            known.learnName(parent, name, exists ? found[0].ino() : 0, sequence, span);
            return true;
        });
        return found[0];
    }

    private InodeAttr attr(WireIn in, Span span) throws MalformedException {
        InodeAttr attr = VolumeWire.attr(in);
        known.learn(attr, in.i64(), span);
        return attr;
    }

    private InodeAttr changed(WireIn in, Span span) throws MalformedException {
        InodeAttr attr = VolumeWire.attr(in);
        known.learnChange(attr, in.i64(), span);
        return attr;
    }

    @Override
    public InodeAttr getattr(long ino) throws FsException {
        InodeAttr at = known.attributes(ino);
        return at != null ? at : calls.ask(VolumeWire.request(Op.GETATTR).i64(ino), this::attr);
    }

    @Override
    public long parent(long dir) throws FsException {
        return calls.call(VolumeWire.request(Op.PARENT).i64(dir), WireIn::i64);
    }

    @Override
    public byte[] readlink(long ino) throws FsException {
        return calls.call(VolumeWire.request(Op.READLINK).i64(ino), in -> in.bytes(MAX_SYMLINK_BYTES));
    }

    @Override
    public void readdir(long dir, long cookie, EntrySink sink) throws FsException {
        readdir(dir, cookie, false, sink);
    }

    @Override
    public void readdirPlus(long dir, long cookie, EntrySink sink) throws FsException {
        readdir(dir, cookie, true, sink);
    }

    private void readdir(long dir, long cookie, boolean plus, EntrySink sink) throws FsException {
        long at = cookie;
        while (true) {
            Listing listing = known.listing(dir, at, plus);
            if (listing == null) {
                listing = list(dir, at, plus);
            }
            for (int i = listing.indexAfter(at); i < listing.entries().size(); i++) {
                Listing.Entry entry = listing.entries().get(i);
                if (!sink.entry(entry.name(), entry.next(), entry.attr())) {
                    return;
                }
            }
            if (listing.entries().isEmpty()) {
                return;
            }
            at = listing.entries().getLast().next();
        }
    }

    /** Asks for the next part of a directory. */
    private Listing list(long dir, long cookie, boolean plus) throws FsException {
        int most = cookie < FIRST_COOKIE ? READDIR_ENTRIES_AT_FIRST : READDIR_ENTRIES;
        WireOut request =
                VolumeWire.request(Op.READDIR).i64(dir).i64(cookie).i32(most).flag(plus);
        return calls.ask(request, (in, span) -> {
            long sequence = in.i64();
            int count = in.count(Long.BYTES);
            List<Listing.Entry> list = new ArrayList<>(count);
            for (int i = 0; i < count; i++) {
                byte[] name = in.bytes(VolumeWire.MAX_NAME_BYTES);
                long next = in.i64();
                InodeAttr attr = attr(in, span);
                known.learnName(dir, name, attr.ino(), sequence, span);
                list.add(new Listing.Entry(name, next, attr));
            }
            Listing listing = new Listing(dir, cookie, plus, sequence, list);
            known.learnListing(listing, span);
            return listing;
        });
    }

    @Override
    public InodeAttr create(
            long parent, byte[] name, int mode, int rdev, byte @Nullable [] target, Creator creator, long nowNs)
            throws FsException {
        WireOut request = VolumeWire.request(Op.CREATE)
                .i64(parent)
                .bytes(name)
                .i32(mode)
                .i32(rdev)
                .bytesOrNull(target)
                .i32(creator.uid())
                .i32(creator.gid())
                .i64(nowNs);
        return calls.ask(request, (in, span) -> {
            InodeAttr made = VolumeWire.attr(in);
            long sequence = in.i64();
            known.learnChange(made, sequence, span);
            known.learnNameChange(parent, name, made.ino(), directory(in, parent, span), span);
            if (in.flag()) {
                known.learnEmpty(made.ino(), sequence, span);
            }
            return made;
        });
    }

    @Override
    public InodeAttr createOrphan(long parent, int mode, Creator creator, long nowNs) throws FsException {
        return calls.ask(
                VolumeWire.request(Op.CREATE_ORPHAN)
                        .i64(parent)
                        .i32(mode)
                        .i32(creator.uid())
                        .i32(creator.gid())
                        .i64(nowNs),
                this::changed);
    }

    @Override
    public InodeAttr link(long ino, long newParent, byte[] newName, long nowNs) throws FsException {
        WireOut request = VolumeWire.request(Op.LINK)
                .i64(ino)
                .i64(newParent)
                .bytes(newName)
                .i64(nowNs);
        return calls.ask(request, (in, span) -> {
            InodeAttr linked = changed(in, span);
            known.learnNameChange(newParent, newName, ino, directory(in, newParent, span), span);
            return linked;
        });
    }

    @Override
    public Unlinked unlink(long parent, byte[] name, long nowNs) throws FsException {
        return sure(remove(Op.UNLINK, parent, name, nowNs));
    }

    @Override
    public Unlinked rmdir(long parent, byte[] name, long nowNs) throws FsException {
        return sure(remove(Op.RMDIR, parent, name, nowNs));
    }

    private @Nullable Unlinked remove(Op op, long parent, byte[] name, long nowNs) throws FsException {
        Unlinked[] gone = new Unlinked[1];
        calls.ask(VolumeWire.request(op).i64(parent).bytes(name).i64(nowNs), (in, span) -> {
            unlinked(in, span, gone);
            known.learnNameChange(parent, name, 0, directory(in, parent, span), span);
            return true;
        });
        return gone[0];
    }

    private void unlinked(WireIn in, Span span, Unlinked[] into) throws MalformedException {
        Unlinked gone = VolumeWire.unlinked(in);
        if (gone != null) {
            known.learnChange(gone.ino(), span);
            into[0] = gone;
        }
    }

    /** Reads what became of a directory; the sequence for its names. */
    private long directory(WireIn in, long dir, Span span) throws MalformedException {
        long sequence = in.i64();
        InodeAttr attr = in.flag() ? VolumeWire.attr(in) : null;
        if (attr != null && attr.ino() == dir) {
            known.learnChange(attr, sequence, span);
        } else {
            known.learnChange(dir, span);
        }
        return sequence;
    }

    @Override
    public @Nullable Unlinked rename(long parent, byte[] name, long newParent, byte[] newName, int flags, long nowNs)
            throws FsException {
        WireOut request = VolumeWire.request(Op.RENAME)
                .i64(parent)
                .bytes(name)
                .i64(newParent)
                .bytes(newName)
                .i32(flags)
                .i64(nowNs);
        Unlinked[] gone = new Unlinked[1];
        calls.ask(request, (in, span) -> {
            unlinked(in, span, gone);
            long from = directory(in, parent, span);
            long to = directory(in, newParent, span);
            moved(in, parent, name, from, span);
            moved(in, newParent, newName, to, span);
            return true;
        });
        return gone[0];
    }

    /** Reads what has a name after a renaming. */
    private void moved(WireIn in, long dir, byte[] name, long sequence, Span span) throws MalformedException {
        long ino = UNKNOWN;
        if (in.flag()) {
            ino = in.flag() ? changed(in, span).ino() : 0;
        }
        known.learnNameChange(dir, name, ino, sequence, span);
    }

    private static Unlinked sure(@Nullable Unlinked gone) throws FsException {
        if (gone == null) {
            throw new FsException(Errno.EIO, "the volume's owner did not say what it removed");
        }
        return gone;
    }

    @Override
    public InodeAttr setattr(long ino, SetAttr change, long nowNs) throws FsException {
        WireOut request = VolumeWire.request(Op.SETATTR).i64(ino);
        VolumeWire.setAttr(request, change);
        return calls.ask(request.i64(nowNs), this::changed);
    }

    @Override
    public InodeAttr truncate(long ino, long size, boolean killSuidGid, long nowNs) throws FsException {
        return calls.ask(
                VolumeWire.request(Op.TRUNCATE)
                        .i64(ino)
                        .i64(size)
                        .flag(killSuidGid)
                        .i64(nowNs),
                this::changed);
    }

    @Override
    public byte[] getxattr(long ino, byte[] name) throws FsException {
        return calls.call(VolumeWire.request(Op.GETXATTR).i64(ino).bytes(name), in -> in.bytes(MAX_XATTR_BYTES));
    }

    @Override
    public byte[] listxattr(long ino) throws FsException {
        return calls.call(VolumeWire.request(Op.LISTXATTR).i64(ino), in -> in.bytes(Integer.MAX_VALUE));
    }

    @Override
    public void setxattr(long ino, byte[] name, byte[] value, int flags, long nowNs) throws FsException {
        WireOut request = VolumeWire.request(Op.SETXATTR)
                .i64(ino)
                .bytes(name)
                .bytes(value)
                .i32(flags)
                .i64(nowNs);
        changeOf(ino, request);
    }

    @Override
    public void removexattr(long ino, byte[] name, long nowNs) throws FsException {
        changeOf(ino, VolumeWire.request(Op.REMOVEXATTR).i64(ino).bytes(name).i64(nowNs));
    }

    private void changeOf(long ino, WireOut request) throws FsException {
        calls.ask(request, (in, span) -> {
            known.learnChange(ino, span);
            return true;
        });
    }

    @Override
    public List<Extent> layout(long ino, long fromTile, long toTile) throws FsException {
        List<Extent> all = new ArrayList<>();
        boolean[] more = {true};
        long from = fromTile;
        while (more[0]) {
            all.addAll(
                    calls.call(VolumeWire.request(Op.LAYOUT).i64(ino).i64(from).i64(toTile), in -> {
                        more[0] = in.flag();
                        return VolumeWire.extents(in);
                    }));
            from = all.isEmpty() ? toTile : all.getLast().tile() + 1;
        }
        return all;
    }

    @Override
    public ExtentRef allocate(int bytes, BrickId preferred) throws FsException {
        return space.take(bytes, preferred);
    }

    @Override
    public ExtentRef allocateOn(BrickId brick, int bytes) throws FsException {
        return calls.call(VolumeWire.request(Op.ALLOCATE_ON).i32(brick.value()).i32(bytes), VolumeWire::ref);
    }

    /** Reservations are an owner's, for a session: what is in stock is worth nothing to another. The owner takes none of it back before its term ends. */
    void forgetStock() {
        space.forget();
    }

    void giveStockBack() {
        space.takeAll().forEach(this::release);
    }

    @Override
    public void release(ExtentRef unused) {
        WireOut request = VolumeWire.request(Op.RELEASE);
        VolumeWire.ref(request, unused);
        calls.quietly(request, "release");
    }

    @Override
    public InodeAttr commit(long ino, DataCommit commit) throws FsException {
        WireOut request = VolumeWire.request(Op.COMMIT).i64(ino);
        VolumeWire.commit(request, commit);
        return calls.ask(request, this::changed);
    }

    @Override
    public void unreferenced(long ino) {
        unreferenced(List.of(ino));
    }

    /** The same of several. */
    void unreferenced(List<Long> inodes) {
        WireOut request = VolumeWire.request(Op.UNREFERENCED).i32(inodes.size());
        inodes.forEach(request::i64);
        calls.quietly(request, "unreferenced");
    }

    @Override
    public void sync() throws FsException {
        calls.call(VolumeWire.request(Op.SYNC), OwnerCalls::nothing);
    }

    @Override
    public Statistics statistics() {
        try {
            return calls.call(
                    VolumeWire.request(Op.STATISTICS),
                    in -> new Statistics(in.i64(), in.i64(), in.i64(), in.i32(), in.i64(), in.i64()));
        } catch (FsException e) {
            LOG.warn("the volume's statistics cannot be had: {}", e.getMessage());
            return new Statistics(0, 0, 0, BlockId.BLOCK_BYTES, 0, 0);
        }
    }
}
