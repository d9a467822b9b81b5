package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import com.ibm.disni.verbs.IbvSge;
import com.ibm.disni.verbs.SVCPostSend;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** An array of struct ibv_sge. */
final class ScatterList {
    private ScatterList() {}

    static void encode(List<IbvSge> in, MemorySegment out) {
        for (int i = 0; i < in.size(); i++) {
            IbvSge one = in.get(i);
            MemorySegment at = at(out, i);
            at.set(JAVA_LONG, VerbsLayout.SGE_ADDRESS, one.getAddr());
            at.set(JAVA_INT, VerbsLayout.SGE_LENGTH, one.getLength());
            at.set(JAVA_INT, VerbsLayout.SGE_LKEY, one.getLkey());
        }
    }

    static View[] views(MemorySegment list, int count) {
        View[] views = new View[count];
        for (int i = 0; i < count; i++) {
            views[i] = new View(at(list, i));
        }
        return views;
    }

    private static MemorySegment at(MemorySegment list, int index) {
        return list.asSlice((long) index * VerbsLayout.SGE_BYTES, VerbsLayout.SGE_BYTES);
    }

    /** One element, changed in place. */
    record View(MemorySegment memory) implements SVCPostSend.SgeMod {
        @Override
        public void setAddr(long address) {
            memory.set(JAVA_LONG, VerbsLayout.SGE_ADDRESS, address);
        }

        @Override
        public long getAddr() {
            return memory.get(JAVA_LONG, VerbsLayout.SGE_ADDRESS);
        }

        @Override
        public void setLength(int length) {
            memory.set(JAVA_INT, VerbsLayout.SGE_LENGTH, length);
        }

        @Override
        public int getLength() {
            return memory.get(JAVA_INT, VerbsLayout.SGE_LENGTH);
        }

        @Override
        public void setLkey(int key) {
            memory.set(JAVA_INT, VerbsLayout.SGE_LKEY, key);
        }

        @Override
        public int getLkey() {
            return memory.get(JAVA_INT, VerbsLayout.SGE_LKEY);
        }
    }
}
