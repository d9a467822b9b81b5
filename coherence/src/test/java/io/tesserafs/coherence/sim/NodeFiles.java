package io.tesserafs.coherence.sim;

import io.tesserafs.coherence.sim.Operation.Entry;
import io.tesserafs.coherence.sim.Operation.Kind;
import io.tesserafs.coherence.sim.PageCache.Page;
import io.tesserafs.coherence.token.Mode;
import io.tesserafs.coherence.token.Resource;
import io.tesserafs.coherence.token.SteppedTokens;
import io.tesserafs.coherence.token.TokenMessage;
import io.tesserafs.fabric.brick.SessionId;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;

/** What a node does with files: system calls of its applications, the kernel's page cache, requests under tokens, recalls. */
final class NodeFiles implements SteppedTokens.Host {
    private static final long LOCKED_RETRY_US = 100;
    private static final int WORKERS = 2;
    private static final int MAX_THINK_US = 80_000;
    private static final long PEEK_PATIENCE_US = 100_000;
    private static final int MAX_WAKE_US = 30_000;

    private final Node node;
    private final World world;
    private final PageCache cache = new PageCache();
    private final SteppedTokens[] tokens = new SteppedTokens[World.FILES];
    /** Page-ins of files that are open for writing take EXCLUSIVE: then pages can be changed through mappings. */
    private final boolean[] writable = new boolean[World.FILES];

    /** Writes of this node to each file, begun or ended. */
    private final long[] changes = new long[World.FILES];

    final List<Operation> operations = new ArrayList<>();
    /** Waits for the brick, which fail when the session is over. */
    private final List<Call> calls = new ArrayList<>();

    private final int thinkUs;
    private boolean clean = true;

    /** Waits for the brick. */
    private final class Call {
        final LongConsumer then;
        final Runnable changed;
        boolean answered;

        Call(LongConsumer then, Runnable changed) {
            this.then = then;
            this.changed = changed;
        }

        void answer(long value) {
            if (!answered && node.files == NodeFiles.this) {
                answered = true;
                changed.run();
                calls.remove(this);
                then.accept(value);
            }
        }
    }

    NodeFiles(Node node) {
        this.node = node;
        this.world = node.world;
        this.thinkUs = 1 + MAX_THINK_US >>> world.random.nextInt(5);
        for (int file = 0; file < World.FILES; file++) {
            tokens[file] = new SteppedTokens(Resource.data(file + 1), this, world.flaw.ofTokens());
            writable[file] = world.random.nextBoolean();
        }
    }

    void start() {
        for (int i = 0; i < WORKERS; i++) {
            node.after(world.random.nextInt(thinkUs), this::work);
        }
        node.after(world.random.nextInt(thinkUs), this::peek);
    }

    /** Nothing of the last session is left. */
    boolean isClean() {
        return clean;
    }

    void revive() {
        for (SteppedTokens each : tokens) {
            each.revive();
        }
    }

    void reattach(long generation, List<TokenMessage.Held> holds) {
        for (SteppedTokens each : tokens) {
            each.reattach(generation, holds);
        }
    }

    void receive(TokenMessage.ToNode message, long generation) {
        int file = (int) message.resource().inode() - 1;
        tokens[file].receive(message, generation);
        world.checkBeliefs(file);
    }

    boolean serves(int file, int page, Mode mode) {
        long at = page * SteppedTokens.PAGE_BYTES;
        return tokens[file].serves(at, at + SteppedTokens.PAGE_BYTES, mode);
    }

    Page page(int file, int page) {
        return cache.page(file, page);
    }

    // Applications.

    private void work() {
        if (world.isQuiet()) {
            return;
        }
        int file = world.random.nextInt(World.FILES);
        int from = world.random.nextInt(World.PAGES);
        int to = world.random.nextBoolean() ? from + 1 : from + 1 + world.random.nextInt(World.PAGES - from);
        if (world.random.nextInt(30) == 0) {
            tokens[file].evict();
        }
        begin(kind(file), file, from, to);
    }

    private void peek() {
        if (!world.isQuiet()) {
            begin(Kind.PEEK, world.random.nextInt(World.FILES), 0, World.PAGES);
        }
    }

    private Kind kind(int file) {
        int dice = world.random.nextInt(10);
        if (dice < 4) {
            return Kind.READ;
        }
        if (dice < 5) {
            return Kind.DIRECT_READ;
        }
        return dice < 7 && writable[file] ? Kind.STORE : Kind.WRITE;
    }

    Operation begin(Kind kind, int file, int from, int to) {
        Operation operation = new Operation(kind, file, from, to, world);
        operations.add(operation);
        step(operation);
        return operation;
    }

    private void end(Operation operation, boolean ok) {
        operation.done = true;
        operation.ok = ok;
        operations.remove(operation);
        cache.unlock(operation.file, operation);
        leave(operation);
        world.answered(ok);
        node.after(1 + world.random.nextInt(thinkUs), operation.kind == Kind.PEEK ? this::peek : this::work);
    }

    private void leave(Operation operation) {
        Entry entry = operation.entry;
        Entry rest = operation.rest;
        operation.entry = null;
        operation.rest = null;
        if (rest != null) {
            tokens[operation.file].leave(rest);
        }
        if (entry != null && entry.isInside()) {
            tokens[operation.file].leave(entry);
        }
    }

    private void step(Operation operation) {
        if (operation.done) {
            return;
        }
        switch (operation.kind) {
            case DIRECT_READ ->
                enter(operation, operation.new Entry(operation.fromPage, operation.toPage, Mode.SHARED, 0, 0));
            case READ, STORE -> load(operation);
            case WRITE -> write(operation);
            case PEEK -> peek(operation);
        }
    }

    private void peek(Operation operation) {
        operation.changes = changes[operation.file];
        // The thread that waits for the answer gets to it some time, long after messages that came behind it.
        long wakesUs = world.random.nextInt(3) == 0 ? world.random.nextInt(MAX_WAKE_US) : 0;
        node.peek(
                operation.file,
                (content, sequence) -> node.after(wakesUs, () -> {
                    if (!operation.done && node.files == this) {
                        take(operation, content, sequence);
                        end(operation, true);
                    }
                }));
        node.after(PEEK_PATIENCE_US, () -> {
            if (!operation.done) {
                end(operation, false);
            }
        });
    }

    /** What the owner said is as good as read under the token, if that was here all the time, and nothing was changed here meanwhile. */
    private void take(Operation operation, long[] content, long sequence) {
        int file = operation.file;
        Entry entry = operation.new Entry(0, World.PAGES, Mode.SHARED, 0, 0);
        if (!tokens[file].tryEnter(entry)) {
            return;
        }
        if (tokens[file].isHeldSince(sequence) && operation.changes == changes[file]) {
            world.checkServed(node, file, 0, World.PAGES, Mode.SHARED);
            for (int i = operation.fromPage; i < operation.toPage; i++) {
                Page page = cache.page(file, i);
                if (page.lockedBy == null && !page.dirty) {
                    world.saw(node, operation, i, content[i], "in an answer");
                    if (!writable[file]) {
                        page.fill(content[i]);
                    }
                }
            }
        }
        tokens[file].leave(entry);
    }

    /** From the cache as far as it goes, then a READ. */
    private void load(Operation operation) {
        int file = operation.file;
        for (; operation.at < operation.toPage; operation.at++) {
            Page page = cache.page(file, operation.at);
            if (page.lockedBy != null) {
                node.after(LOCKED_RETRY_US, () -> step(operation));
                return;
            }
            if (!page.cached) {
                break;
            }
            if (!page.dirty && node.believes()) {
                world.saw(node, operation, operation.at, page.value, "in its cache");
            }
            if (operation.kind == Kind.STORE) {
                world.checkServed(node, file, operation.at, operation.at + 1, Mode.EXCLUSIVE);
                page.dirty = true;
            }
        }
        int from = operation.at;
        if (from == operation.toPage) {
            end(operation, true);
            return;
        }
        int to = from;
        while (to < operation.toPage && !cache.page(file, to).cached && cache.page(file, to).lockedBy == null) {
            to++;
        }
        cache.lock(file, from, to, operation);
        enter(operation, operation.new Entry(from, to, writable[file] ? Mode.EXCLUSIVE : Mode.SHARED, from, to));
    }

    private void write(Operation operation) {
        int file = operation.file;
        for (int i = operation.fromPage; i < operation.toPage; i++) {
            Page page = cache.page(file, i);
            if (page.lockedBy != null || page.dirty) {
                if (page.lockedBy == null) {
                    writeBack(file, i);
                }
                node.after(LOCKED_RETRY_US, () -> step(operation));
                return;
            }
        }
        cache.lock(file, operation.fromPage, operation.toPage, operation);
        for (int i = operation.fromPage; i < operation.toPage; i++) {
            cache.page(file, i).drop(); // it is about to be overwritten as a whole
        }
        int first = operation.fromPage;
        enter(operation, operation.new Entry(first, first + 1, Mode.EXCLUSIVE, first, operation.toPage));
    }

    private void enter(Operation operation, Entry entry) {
        operation.entry = entry;
        if (tokens[operation.file].enter(entry)) {
            serve(operation, entry);
        }
    }

    // Requests.

    @Override
    public void woken(SteppedTokens.Request request) {
        Entry entry = (Entry) request;
        Operation operation = entry.operation();
        if (entry.isInside()) {
            world.checkServed(node, operation.file, entry.fromPage, entry.toPage, entry.mode);
        }
        node.soon(() -> {
            if (entry.isInside()) {
                serve(operation, entry);
            } else {
                end(operation, false);
            }
        });
    }

    private void serve(Operation operation, Entry entry) {
        world.checkServed(node, operation.file, entry.fromPage, entry.toPage, entry.mode);
        int to = entry.toPage;
        if (operation.kind == Kind.WRITE && to < operation.toPage) {
            Entry rest = operation.new Entry(to, operation.toPage, Mode.EXCLUSIVE, 0, 0);
            if (tokens[operation.file].tryEnter(rest)) {
                operation.rest = rest;
                to = operation.toPage;
                world.checkServed(node, operation.file, rest.fromPage, rest.toPage, Mode.EXCLUSIVE);
            }
        }
        int[] left = {to - entry.fromPage};
        boolean[] failed = new boolean[1];
        for (int i = entry.fromPage; i < to; i++) {
            int page = i;
            brick(operation.kind == Kind.WRITE, operation.file, page, value -> {
                failed[0] |= value == Brick.FENCED;
                if (value != Brick.FENCED) {
                    transferred(operation, page, value);
                }
                if (--left[0] == 0) {
                    served(operation, failed[0]);
                }
            });
        }
    }

    private void transferred(Operation operation, int page, long value) {
        if (operation.kind == Kind.WRITE) {
            world.wrote(operation.file, page, value);
        } else {
            world.saw(node, operation, page, value, "on the brick");
        }
        if (operation.kind != Kind.DIRECT_READ) {
            cache.page(operation.file, page).fill(value);
        }
    }

    private void served(Operation operation, boolean failed) {
        if (failed) {
            for (int i = 0; i < World.PAGES; i++) {
                Page page = cache.page(operation.file, i);
                if (operation.equals(page.lockedBy)) {
                    page.drop();
                }
            }
            end(operation, false);
            node.lose();
        } else if (operation.kind == Kind.READ || operation.kind == Kind.STORE) {
            cache.unlock(operation.file, operation);
            leave(operation);
            step(operation);
        } else {
            end(operation, true);
        }
    }

    private void brick(boolean write, int file, int page, LongConsumer then) {
        Runnable changed = () -> {
            if (write) {
                changes[file]++;
            }
        };
        changed.run();
        Call call = new Call(then, changed);
        calls.add(call);
        SessionId session = node.session;
        world.message(node, world.brick, () -> {
            if (write) {
                world.brick.write(node, session, file, page, call::answer);
            } else {
                world.brick.read(node, session, file, page, call::answer);
            }
        });
    }

    // Recalls.

    @Override
    public void send(TokenMessage.ToOwner message, long generation) {
        node.send(message, generation);
    }

    @Override
    public long seenAtLeast() {
        return node.seenAtLeast();
    }

    @Override
    public void soon(Runnable step) {
        node.soon(step);
    }

    @Override
    public void invalidate(Resource resource, SteppedTokens.Invalidation what) {
        int file = (int) resource.inode() - 1;
        node.soon(() -> drop(what, file, (int) (what.from() / SteppedTokens.PAGE_BYTES)));
    }

    private void drop(SteppedTokens.Invalidation what, int file, int from) {
        long end = Math.min(World.PAGES, what.to() / SteppedTokens.PAGE_BYTES);
        for (int i = from; i < end; i++) {
            Page page = cache.page(file, i);
            int at = i;
            if (page.lockedBy == null && page.dirty) {
                writeBack(file, i);
            }
            if (page.lockedBy != null) {
                node.after(LOCKED_RETRY_US, () -> drop(what, file, at));
                return;
            }
            page.drop();
        }
        tokens[file].invalidated(what);
    }

    /** Serves without looking at tokens: a page that is dirty has one. */
    private void writeBack(int file, int at) {
        Page page = cache.page(file, at);
        page.lockedBy = new PageCache.Writeback();
        page.dirty = false;
        brick(true, file, at, value -> {
            if (value != Brick.FENCED) {
                world.wrote(file, at, value);
                page.fill(value);
            } else {
                page.drop();
            }
            page.lockedBy = null;
            if (value == Brick.FENCED) {
                node.lose();
            }
        });
    }

    /** The session is over: who waits fails, who is inside comes out, nothing stays cached. */
    void lose() {
        if (!clean) {
            return;
        }
        clean = false;
        for (SteppedTokens each : tokens) {
            each.fence();
        }
        node.soon(this::failCalls);
        node.soon(this::dropAll);
    }

    private void failCalls() {
        for (Call call : List.copyOf(calls)) {
            call.answer(Brick.FENCED);
        }
    }

    private void dropAll() {
        boolean locked = !calls.isEmpty();
        for (int file = 0; file < World.FILES; file++) {
            for (int i = 0; i < World.PAGES; i++) {
                Page page = cache.page(file, i);
                locked |= page.lockedBy != null;
                if (page.lockedBy == null) {
                    page.drop();
                }
            }
        }
        if (locked) {
            failCalls();
            node.after(LOCKED_RETRY_US, this::dropAll);
        } else {
            clean = true;
        }
    }
}
