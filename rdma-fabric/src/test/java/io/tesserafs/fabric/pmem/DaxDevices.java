package io.tesserafs.fabric.pmem;

import java.lang.foreign.Arena;
import java.nio.file.Path;

/** The persistent memory of the emulated machine, for tests. */
public final class DaxDevices {
    public static final Path FIRST = Path.of("/dev/dax1.0");
    public static final Path SECOND = Path.of("/dev/dax2.0");

    /** Of each device, less what its namespace's own header takes. */
    public static final long MIN_BYTES = 700L << 20;

    /** A filesystem with DAX. */
    public static final Path FILE_SYSTEM = Path.of("/mnt/pmem");

    private DaxDevices() {}

    /** So that there is no pool on it, but bytes of before. */
    public static Path wiped(Path device) throws PoolException {
        try (PoolFile file = PoolFile.open(device, true);
                Arena arena = Arena.ofConfined()) {
            file.map(PoolGeometry.BLOCK_BYTES, arena).fill((byte) 0x5a);
        }
        return device;
    }
}
