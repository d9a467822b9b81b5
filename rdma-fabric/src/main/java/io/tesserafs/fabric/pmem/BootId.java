package io.tesserafs.fabric.pmem;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.UUID;

/** The kernel's boot id: another value means that the page cache of before is gone. */
final class BootId {
    private static final Path SOURCE = Path.of("/proc/sys/kernel/random/boot_id");

    private BootId() {}

    static UUID current() throws IOException {
        return UUID.fromString(Files.readString(SOURCE).strip());
    }
}
