package io.tesserafs.node.session;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fuse.Errno;
import io.tesserafs.node.namespace.ExtentRef;
import io.tesserafs.node.namespace.FsException;
import io.tesserafs.node.session.VolumeWire.Op;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Space that the owner has reserved for this session in batches, ahead of need, so that most writes need not ask for it. Thread-safe. */
final class ReservedSpace {
    /** Reservations asked for at a time. Small files are written many at a time; whole blocks are 2 MiB each. */
    private static final int SLICE_BATCH = 32;

    private static final int BLOCK_BATCH = 4;

    private final OwnerCalls calls;
    /** By size. Guarded by itself. */
    private final Map<Integer, ArrayDeque<ExtentRef>> stock = new HashMap<>();

    ReservedSpace(OwnerCalls calls) {
        this.calls = calls;
    }

    /** Room for so many bytes, on that brick if there is any and the owner has to be asked. */
    ExtentRef take(int bytes, BrickId preferred) throws FsException {
        int size = Math.max(ExtentRef.MIN_SLICE_BYTES, Integer.highestOneBit(2 * bytes - 1));
        synchronized (stock) {
            ArrayDeque<ExtentRef> known = stock.get(size);
            if (known != null && !known.isEmpty()) {
                return known.pop();
            }
        }
        int batch = size == BlockId.BLOCK_BYTES ? BLOCK_BATCH : SLICE_BATCH;
        List<ExtentRef> fresh = calls.call(
                VolumeWire.request(Op.ALLOCATE).i32(size).i32(preferred.value()).i32(batch), in -> {
                    int count = in.count(Integer.BYTES);
                    List<ExtentRef> list = new ArrayList<>(count);
                    for (int i = 0; i < count; i++) {
                        list.add(VolumeWire.ref(in));
                    }
                    return list;
                });
        if (fresh.isEmpty()) {
            throw new FsException(Errno.ENOSPC, "no space left on the volume's bricks");
        }
        synchronized (stock) {
            stock.computeIfAbsent(size, s -> new ArrayDeque<>()).addAll(fresh.subList(1, fresh.size()));
        }
        return fresh.getFirst();
    }

    void forget() {
        synchronized (stock) {
            stock.clear();
        }
    }

    /** What was not used, which is forgotten here. */
    List<ExtentRef> takeAll() {
        synchronized (stock) {
            List<ExtentRef> unused = new ArrayList<>();
            stock.values().forEach(unused::addAll);
            stock.clear();
            return unused;
        }
    }
}
