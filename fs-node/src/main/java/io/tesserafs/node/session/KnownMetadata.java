package io.tesserafs.node.session;

import io.tesserafs.coherence.token.Resource;
import io.tesserafs.node.namespace.InodeAttr;
import io.tesserafs.node.namespace.VolumeService;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What an owner on another node has told this one of inodes and names. Each piece came with the sequence of the token that guards it, and is good for as
 * long as that token has been held without a pause since: so nothing has to be thrown away when a token is recalled, and nothing old is ever shown.
 *
 * <p>Answers of calls that ran side by side arrive in any order. The owner says when it began and ended each, by a count of its own. Of two
 * answers that speak of the same thing the later one counts; if one of them is a change, and the calls may have overlapped, neither does, and what is
 * remembered is only that. What was forgotten for lack of space leaves a mark behind, below which nothing is learned any more.
 *
 * <p>Thread-safe. The lock is held for moments, and tokens are looked at outside it.
 */
final class KnownMetadata {
    /** As many as there are tokens that are kept without anybody using them. About 0.2 KiB each. */
    private static final int MAX_ATTRIBUTES = 65_536;
    /** In all directories together. About 0.15 KiB each. */
    private static final int MAX_NAMES = 131_072;
    /** A directory with more is not remembered as a whole. */
    private static final int MAX_NAMES_OF_ONE = MAX_NAMES / 2;

    /** Parts of directories that somebody reads. Up to 0.3 MiB each. */
    private static final int MAX_LISTINGS = 8;

    /** From when to when the owner worked on a call. What ended before another began has lower numbers. */
    record Span(long began, long ended) {}

    /** Tokens, as far as they matter here. */
    interface Tokens {
        boolean isHeldSince(Resource resource, long sequence);
    }

    /** {@code attr} is null if it is only known that it has changed. */
    private record Known(@Nullable InodeAttr attr, long sequence, long moment) {}

    /** An inode number, 0 if there is no such name, or {@link VolumeService#UNKNOWN} if it is only known that it has changed. */
    private record KnownName(long ino, long sequence, long moment) {}

    /** A name as a key. */
    private record Name(byte[] bytes) {
        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Name name && Arrays.equals(bytes, name.bytes);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(bytes);
        }
    }

    private static final class Names {
        final Map<Name, KnownName> byName = new HashMap<>();
        /** There are no others; with the sequence under which that is so, or 0. */
        long completeSince;
        /** When the newest of the changes ended. */
        long changed;

        Names(long changed) {
            this.changed = changed;
        }
    }

    private final Tokens tokens;
    /** Longest unused first. Guarded by this, as is the rest. */
    private final LinkedHashMap<Long, Known> attributes = new LinkedHashMap<>(16, 0.75f, true);

    private final LinkedHashMap<Long, Names> directories = new LinkedHashMap<>(16, 0.75f, true);
    /** Newest first, one of a directory. */
    private final ArrayDeque<Listing> listings = new ArrayDeque<>();

    private int names;
    /** The newest moment of anything that was forgotten. */
    private long forgotten;

    KnownMetadata(Tokens tokens) {
        this.tokens = tokens;
    }

    /** Null if they are not known for certain. Asks nobody. */
    @Nullable
    InodeAttr attributes(long ino) {
        Known known;
        synchronized (this) {
            known = attributes.get(ino);
        }
        InodeAttr attr = known == null ? null : known.attr;
        return attr != null && known != null && tokens.isHeldSince(guard(attr), known.sequence) ? attr : null;
    }

    /** See {@link VolumeService#knownName}. */
    long name(long dir, byte[] name) {
        KnownName known;
        synchronized (this) {
            Names all = directories.get(dir);
            if (all == null) {
                return VolumeService.UNKNOWN;
            }
            known = all.byName.get(new Name(name));
            if (known == null && all.completeSince != 0) {
                known = new KnownName(0, all.completeSince, 0);
            }
        }
        return known != null && tokens.isHeldSince(Resource.entries(dir), known.sequence)
                ? known.ino
                : VolumeService.UNKNOWN;
    }

    private static Resource guard(InodeAttr attr) {
        return attr.isDirectory() ? Resource.entries(attr.ino()) : Resource.attributes(attr.ino());
    }

    /** Answer of a call that changed nothing. {@code sequence} 0: no token came with it, so nothing can be made of it. */
    synchronized void learn(InodeAttr attr, long sequence, Span span) {
        Known known = attributes.get(attr.ino());
        if (sequence != 0 && span.began > (known == null ? forgotten : known.moment)) {
            put(attr.ino(), new Known(attr, sequence, span.began));
        }
    }

    /** Answer of a call that changed the inode. It may say so twice. */
    synchronized void learnChange(InodeAttr attr, long sequence, Span span) {
        Known known = attributes.get(attr.ino());
        if (known != null && attr.equals(known.attr) && known.moment == span.ended) {
            return;
        }
        boolean certain = sequence != 0 && span.began > (known == null ? forgotten : known.moment);
        put(attr.ino(), new Known(certain ? attr : null, sequence, later(known == null ? 0 : known.moment, span)));
    }

    /** A call has changed the inode, and did not say into what. */
    synchronized void learnChange(long ino, Span span) {
        Known known = attributes.get(ino);
        put(ino, new Known(null, 0, later(known == null ? 0 : known.moment, span)));
    }

    private static long later(long moment, Span span) {
        return Math.max(moment, span.ended);
    }

    private void put(long ino, Known known) {
        attributes.put(ino, known);
        if (attributes.size() > MAX_ATTRIBUTES) {
            Iterator<Known> eldest = attributes.values().iterator();
            forgotten = Math.max(forgotten, eldest.next().moment);
            eldest.remove();
        }
    }

    /** Answer of a call that looked for a name; {@code ino} 0 if there is none. */
    synchronized void learnName(long dir, byte[] name, long ino, long sequence, Span span) {
        KnownName known = find(dir, name);
        if (sequence != 0 && span.began > (known == null ? forgotten : known.moment)) {
            putName(dir, name, new KnownName(ino, sequence, span.began));
        }
    }

    /** A call has changed a name; {@code ino} as it is now, or {@link VolumeService#UNKNOWN}. */
    synchronized void learnNameChange(long dir, byte[] name, long ino, long sequence, Span span) {
        KnownName known = find(dir, name);
        boolean certain = sequence != 0 && span.began > (known == null ? forgotten : known.moment);
        long moment = later(known == null ? 0 : known.moment, span);
        listings.removeIf(listing -> listing.dir() == dir);
        Names all = names(dir);
        all.changed = later(all.changed, span);
        putName(dir, name, new KnownName(certain ? ino : VolumeService.UNKNOWN, sequence, moment));
    }

    /** A directory has just been made, and has nothing in it. */
    synchronized void learnEmpty(long dir, long sequence, Span span) {
        if (span.began > forgotten) {
            names(dir).completeSince = sequence;
        }
    }

    /** Part of a directory's names, for as long as it is as it was listed. */
    synchronized void learnListing(Listing listing, Span span) {
        if (listing.sequence() == 0 || span.began <= changed(listing.dir())) {
            return;
        }
        listings.removeIf(known -> known.dir() == listing.dir());
        listings.addFirst(listing);
        if (listings.size() > MAX_LISTINGS) {
            listings.removeLast();
        }
    }

    /** What comes after that cookie; null if that is not known. */
    @Nullable
    Listing listing(long dir, long cookie, boolean plus) {
        Listing found = null;
        synchronized (this) {
            for (Listing listing : listings) {
                if (listing.dir() == dir && (listing.plus() || !plus)) {
                    int at = listing.indexAfter(cookie);
                    found = at >= 0 && at < listing.entries().size() ? listing : null;
                }
            }
        }
        return found != null && tokens.isHeldSince(Resource.entries(dir), found.sequence()) ? found : null;
    }

    /** When a name in it was last changed by this node, or may have been. */
    private long changed(long dir) {
        Names all = directories.get(dir);
        return all == null ? forgotten : all.changed;
    }

    private @Nullable KnownName find(long dir, byte[] name) {
        Names all = directories.get(dir);
        return all == null ? null : all.byName.get(new Name(name));
    }

    private Names names(long dir) {
        return directories.computeIfAbsent(dir, d -> new Names(forgotten));
    }

    private void putName(long dir, byte[] name, KnownName known) {
        Names all = names(dir);
        if (all.byName.put(new Name(name), known) == null) {
            names++;
        }
        if (all.byName.size() > MAX_NAMES_OF_ONE) {
            forget(all);
            directories.remove(dir);
        }
        Iterator<Names> eldest = directories.values().iterator();
        while (names + directories.size() > MAX_NAMES) {
            forget(eldest.next());
            eldest.remove();
        }
    }

    private void forget(Names gone) {
        names -= gone.byName.size();
        forgotten = Math.max(forgotten, gone.changed);
        for (KnownName known : gone.byName.values()) {
            forgotten = Math.max(forgotten, known.moment);
        }
    }

    /** All that came by another link is of no use any more. */
    synchronized void clear() {
        attributes.clear();
        directories.clear();
        listings.clear();
        names = 0;
    }
}
