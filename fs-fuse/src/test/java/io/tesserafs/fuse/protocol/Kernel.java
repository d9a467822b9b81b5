package io.tesserafs.fuse.protocol;

import io.tesserafs.fuse.FileSystem;
import io.tesserafs.fuse.Request;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.StringJoiner;
import java.util.function.Consumer;

/** One reader over a {@link FakeChannel}, and a filesystem that records its calls and answers as the test says. */
final class Kernel implements AutoCloseable {
    static final int MAX_WRITE = 1 << 20;
    private static final long ALL_FEATURES = -1L;
    private static final InodeFiles NO_FILES = (InodeFiles) Proxy.newProxyInstance(
            InodeFiles.class.getClassLoader(), new Class<?>[] {InodeFiles.class}, (proxy, method, arguments) -> {
                throw new AssertionError("not expected: " + method.getName());
            });

    final FakeChannel channel = new FakeChannel();
    final Connection connection;
    final Session session;
    final RequestLoop loop;
    /** "lookup 1 name", and so on; segments as "[length]". */
    final List<String> calls = new ArrayList<>();
    /** What the filesystem does with each request. */
    Consumer<Request> behaviour = Request::replyOk;

    final FileSystem fs;

    Kernel() {
        this(ALL_FEATURES);
    }

    Kernel(long features) {
        this(new Negotiated(45, MAX_WRITE, features), NO_FILES);
    }

    /** @param files where it gets them */
    Kernel(Negotiated negotiated, InodeFiles files) {
        connection = new Connection(negotiated, new BufferPool(MAX_WRITE, RequestMemory.ANY), new FuseStats());
        session = new Session(connection, channel, files);
        InvocationHandler handler = this::record;
        fs = (FileSystem)
                Proxy.newProxyInstance(FileSystem.class.getClassLoader(), new Class<?>[] {FileSystem.class}, handler);
        loop = newLoop(channel);
    }

    RequestLoop newLoop(Channel on) {
        RequestLoop created = new RequestLoop(connection, on, new Dispatcher(connection, fs, session.barrier()));
        connection.addLoop(created);
        return created;
    }

    private Object record(Object proxy, Method method, Object[] arguments) {
        StringJoiner call = new StringJoiner(" ").add(method.getName());
        for (Object argument : arguments) {
            if (!(argument instanceof Request)) {
                call.add(show(argument));
            }
        }
        calls.add(call.toString());
        if (arguments[0] instanceof Request rq) {
            behaviour.accept(rq);
        }
        return null;
    }

    private static String show(Object argument) {
        if (argument instanceof byte[] bytes) {
            return new String(bytes, StandardCharsets.UTF_8);
        }
        if (argument instanceof MemorySegment segment) {
            byte[] bytes = segment.toArray(ValueLayout.JAVA_BYTE);
            return bytes.length <= 16 ? new String(bytes, StandardCharsets.UTF_8) : "[" + bytes.length + "]";
        }
        return String.valueOf(argument);
    }

    /** Serves one request; the answers to it. */
    List<byte[]> serve(byte[] request) {
        channel.answers.clear();
        channel.requests.add(request);
        loop.runOnce();
        return List.copyOf(channel.answers);
    }

    @Override
    public void close() {
        connection.pool.close();
    }
}
