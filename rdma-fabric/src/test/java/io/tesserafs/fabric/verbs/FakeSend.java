package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.SVCPostSend;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Posts to nowhere: what it posted stays due until the test completes it. */
final class FakeSend extends SVCPostSend {
    private final int opcode;
    private final int flags;
    private final int elements;
    private final List<Posted> log;

    /** Values by the names of their setters, without the elements, and those of each element. */
    private final Map<String, Object> request = new HashMap<>();

    private final List<Map<String, Object>> scatter = new ArrayList<>();

    /** A request as it was when it was posted. */
    record Posted(int opcode, int flags, long remote, int key, List<Gather.Element> elements) {}

    private FakeSend(int opcode, int flags, int elements, List<Posted> log) {
        this.opcode = opcode;
        this.flags = flags;
        this.elements = elements;
        this.log = log;
        for (int i = 0; i < elements; i++) {
            scatter.add(new HashMap<>());
        }
    }

    /** A slot without a device. */
    static Slot slot(int number) {
        return slot(number, new ArrayList<>());
    }

    /** @param log gets all that is posted */
    static Slot slot(int number, List<Posted> log) {
        try {
            return new Slot(number, MemorySegment.NULL, 0, posts(log));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static PreparedPosts posts(List<Posted> log) {
        return new PreparedPosts((opcode, flags, elements) -> new FakeSend(opcode, flags, elements, log));
    }

    @Override
    public SendWRMod getWrMod(int index) {
        return modifier(SendWRMod.class, request);
    }

    private <T> T modifier(Class<T> type, Map<String, Object> values) {
        return type.cast(Proxy.newProxyInstance(
                FakeSend.class.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
                    if (method.getName().equals("getSgeMod")) {
                        return modifier(SgeMod.class, scatter.get((int) arguments[0]));
                    }
                    if (method.getName().equals("getRdmaMod")) {
                        return modifier(RdmaMod.class, request);
                    }
                    values.put(method.getName(), arguments[0]);
                    return null;
                }));
    }

    @Override
    public SVCPostSend execute() {
        List<Gather.Element> all = new ArrayList<>(elements);
        for (Map<String, Object> one : scatter) {
            all.add(new Gather.Element(
                    (long) one.get("setAddr"), (int) one.get("setLength"), (int) one.get("setLkey")));
        }
        log.add(new Posted(
                opcode, flags, (long) request.get("setRemote_addr"), (int) request.get("setRkey"), List.copyOf(all)));
        return this;
    }

    @Override
    public boolean isValid() {
        return true;
    }

    @Override
    public SVCPostSend free() {
        return this;
    }
}
