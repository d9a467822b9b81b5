package io.tesserafs.fabric.pmem;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** How far towards persistent memory bytes must have come to survive a loss of power, as the platform tells the kernel. */
public enum PersistenceDomain {
    /** eADR: the CPU's caches are flushed by reserve power. What is visible to other CPUs is safe. */
    CPU_CACHE,
    /** ADR: what has left the CPU's caches for the memory controller is safe. */
    MEMORY_CONTROLLER,
    /** The platform does not say, or there is no persistent memory; at least cache lines have to be written back. */
    UNKNOWN;

    private static final String ATTRIBUTE = "persistence_domain";
    private static final Path SYSFS = Path.of("/sys");

    /** @param device a directory of sysfs, or a link to one: the attribute is that of the NVDIMM region above it */
    static PersistenceDomain above(Path device) {
        try {
            for (@Nullable Path at = device.toRealPath(); at != null && at.startsWith(SYSFS); at = at.getParent()) {
                Path attribute = at.resolve(ATTRIBUTE);
                if (Files.exists(attribute)) {
                    return parse(Files.readString(attribute).strip());
                }
            }
        } catch (IOException e) {
            return UNKNOWN; // the careful answer
        }
        return UNKNOWN;
    }

    static PersistenceDomain parse(String attribute) {
        return switch (attribute) {
            case "cpu_cache" -> CPU_CACHE;
            case "memory_controller" -> MEMORY_CONTROLLER;
            default -> UNKNOWN;
        };
    }

    @Override
    public String toString() {
        return switch (this) {
            case CPU_CACHE -> "CPU caches (eADR)";
            case MEMORY_CONTROLLER -> "memory controller (ADR)";
            case UNKNOWN -> "not known";
        };
    }
}
