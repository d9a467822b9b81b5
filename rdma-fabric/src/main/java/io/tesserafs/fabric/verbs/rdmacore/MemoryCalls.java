package io.tesserafs.fabric.verbs.rdmacore;

import com.ibm.disni.verbs.IbvMr;
import com.ibm.disni.verbs.SVCDeregMr;
import com.ibm.disni.verbs.SVCRegMr;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Registration as DiSNI's prepared calls. */
final class MemoryCalls {
    private MemoryCalls() {}

    static final class Register extends SVCRegMr {
        private final CorePd pd;
        private final long address;
        private final long bytes;
        private final int access;
        private boolean valid = true;
        private @Nullable CoreMr memory;

        Register(CorePd pd, long address, long bytes, int access) {
            this.pd = pd;
            this.address = address;
            this.bytes = bytes;
            this.access = access;
        }

        @Override
        public SVCRegMr execute() throws IOException {
            memory = CoreMr.register(pd, address, bytes, access);
            return this;
        }

        @Override
        public @Nullable IbvMr getMr() {
            return memory;
        }

        @Override
        public boolean isValid() {
            return valid && pd.isOpen();
        }

        @Override
        public SVCRegMr free() {
            valid = false;
            return this;
        }
    }

    static final class Deregister extends SVCDeregMr {
        private final CoreMr memory;
        private boolean valid = true;

        Deregister(CoreMr memory) {
            this.memory = memory;
        }

        @Override
        public SVCDeregMr execute() throws IOException {
            memory.deregister();
            return this;
        }

        @Override
        public boolean isValid() {
            return valid && memory.isOpen();
        }

        @Override
        public SVCDeregMr free() {
            valid = false;
            return this;
        }
    }
}
