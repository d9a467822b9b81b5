package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvMr;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One READ or WRITE: a range of the target's memory, and the pieces of memory here that are filled from it or written to it, one after the
 * other.
 *
 * @param remote the range's address there
 * @param elements at least one
 */
record Gather(long remote, int key, List<Element> elements) {
    /** Of one request; a device may take fewer. Each takes 16 bytes of every place in a queue pair's queue. */
    static final int MAX_ELEMENTS = 16;

    /** A piece of memory here, registered under a key; at least one byte. */
    record Element(long address, int bytes, int localKey) {}

    /** Tells under which key the device knows memory; null if it does not. */
    interface Memory {
        @Nullable
        IbvMr find(MemorySegment memory);
    }

    /** Of those parts that have bytes; null if the device does not know all of them. */
    static @Nullable List<Element> elements(List<MemorySegment> parts, Memory memory) {
        List<Element> elements = new ArrayList<>(parts.size());
        for (MemorySegment part : parts) {
            if (part.byteSize() > 0) {
                IbvMr known = memory.find(part);
                if (known == null) {
                    return null;
                }
                elements.add(new Element(part.address(), Math.toIntExact(part.byteSize()), known.getLkey()));
            }
        }
        return elements;
    }

    /** Adds requests for all of the elements, each with as many as it may have. */
    static void cut(List<Gather> to, long remote, int key, List<Element> elements, int maxElements) {
        long at = remote;
        for (int from = 0; from < elements.size(); from += maxElements) {
            Gather one = new Gather(at, key, elements.subList(from, Math.min(from + maxElements, elements.size())));
            to.add(one);
            at += one.bytes();
        }
    }

    long bytes() {
        long sum = 0;
        for (Element element : elements) {
            sum += element.bytes;
        }
        return sum;
    }
}
