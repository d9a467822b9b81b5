package io.tesserafs.fabric.tcp;

import io.tesserafs.fabric.peer.PeerException;
import io.tesserafs.fabric.peer.PeerException.Reason;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** Calls on their way to the peer, and who waits for their answers. Thread-safe. */
final class OutgoingCalls {
    private final CallCredits credits;
    private final AtomicLong lastId = new AtomicLong();
    private final ConcurrentMap<Long, Call> calls = new ConcurrentHashMap<>();

    /** Why there are no more answers; null before. */
    private volatile @Nullable String ended;

    OutgoingCalls(CallLimits limits) {
        this.credits = new CallCredits(limits);
    }

    /** A call, from before it is sent until its answer arrives, even if nobody waits for that any more. */
    record Call(long id, int units, CompletableFuture<Outcome> outcome) {}

    private sealed interface Outcome {}

    private record Answer(ByteBuffer bytes) implements Outcome {}

    private record Failure(Reason reason, String message) implements Outcome {}

    /** Waits until the peer takes another call. */
    Call begin(int requestBytes, long deadlineNs) throws PeerException {
        int units = CallLimits.units(requestBytes);
        credits.acquire(units, deadlineNs);
        Call call = new Call(lastId.incrementAndGet(), units, new CompletableFuture<>());
        calls.put(call.id, call);
        String reason = ended;
        if (reason != null) {
            calls.remove(call.id);
            throw new PeerException(Reason.UNREACHABLE, reason);
        }
        return call;
    }

    ByteBuffer await(Call call, long deadlineNs, TcpConnection connection) throws PeerException {
        try {
            return switch (call.outcome.get(Math.max(0, deadlineNs - System.nanoTime()), TimeUnit.NANOSECONDS)) {
                case Answer answer -> answer.bytes;
                case Failure failure -> throw new PeerException(failure.reason, failure.message);
            };
        } catch (TimeoutException e) {
            throw new PeerException(Reason.LOST, "no answer in time on " + connection, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new PeerException(Reason.LOST, "interrupted while waiting for an answer on " + connection, e);
        } catch (ExecutionException e) {
            throw new IllegalStateException("a call completes normally, whatever its outcome", e);
        }
    }

    void answered(long id, ByteBuffer answer) throws ProtocolException {
        take(id).outcome.complete(new Answer(answer));
    }

    void failed(long id, Reason reason, String message) throws ProtocolException {
        take(id).outcome.complete(new Failure(reason, message));
    }

    private Call take(long id) throws ProtocolException {
        Call call = calls.remove(id);
        if (call == null) {
            throw new ProtocolException("answers a call that was not made");
        }
        credits.release(call.units);
        return call;
    }

    /** Everyone who waits, and who comes later, fails. */
    void end(String reason) {
        ended = reason;
        credits.end();
        for (Call call : calls.values()) {
            call.outcome.complete(new Failure(Reason.LOST, reason));
        }
    }
}
