package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.verbs.rdmacore.DeviceAttributes;

/** How the key that a peer has to a block is given and taken back. */
public enum Revocation {
    /** A registration for each handle, which is deregistered: by the kernel, which pins and unpins the block. Every device does this. */
    REGISTRATION("registration"),
    /**
     * A memory window of type 2B for each handle, bound to the session's queue pair and invalidated there: by requests to the device. Blocks
     * are registered once, for nobody, and stay so.
     */
    MEMORY_WINDOW("window");

    private final String label;

    Revocation(String label) {
        this.label = label;
    }

    /** For people and tools. */
    public String label() {
        return label;
    }

    static Revocation of(DeviceAttributes device) {
        return device.bindsWindowsToQueuePairs() ? MEMORY_WINDOW : REGISTRATION;
    }
}
