package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.SVCPostSend;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;

/** Posts to nowhere: what it posted stays due until the test completes it. */
final class FakeSend extends SVCPostSend {
    /** A slot without a device. */
    static Slot slot(int number) {
        return new Slot(number, MemorySegment.NULL, 0, new FakeSend(), new FakeSend(), new FakeSend(), new FakeSend());
    }

    @Override
    public SendWRMod getWrMod(int index) {
        return modifier(SendWRMod.class);
    }

    /** All that can be set is ignored. */
    private static <T> T modifier(Class<T> type) {
        return type.cast(Proxy.newProxyInstance(
                FakeSend.class.getClassLoader(),
                new Class<?>[] {type},
                (proxy, method, values) ->
                        method.getReturnType().isInterface() ? modifier(method.getReturnType()) : null));
    }

    @Override
    public SVCPostSend execute() {
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
