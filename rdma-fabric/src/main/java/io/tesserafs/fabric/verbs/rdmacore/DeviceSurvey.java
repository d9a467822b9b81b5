package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What the libraries say of one RDMA device, for tools: nothing stays open, and which implementation stands behind DiSNI's interface is
 * left alone.
 *
 * @param attributes empty if the device cannot be opened or asked
 * @param problem why not
 */
public record DeviceSurvey(String device, Optional<DeviceAttributes> attributes, String problem) {
    /** What the libraries say when the kernel has no ib_uverbs, loaded or built in: then there is no device either. */
    private static final int ENOSYS = 38;

    /**
     * All devices that the kernel and the libraries know.
     *
     * @throws VerbsUnavailableException without the libraries, or if they cannot list devices
     */
    public static List<DeviceSurvey> all() throws VerbsUnavailableException {
        Libraries libraries = Libraries.get();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment count = arena.allocate(JAVA_INT);
            long list = libraries.getDeviceList.pointer(count.address());
            try {
                List<DeviceSurvey> devices = new ArrayList<>();
                for (int i = 0; i < count.get(JAVA_INT, 0); i++) {
                    devices.add(ask(libraries, NativeMemory.getLong(list + (long) i * Long.BYTES)));
                }
                return devices;
            } finally {
                libraries.freeDeviceList.run(list);
            }
        } catch (VerbsException e) {
            if (e.errno() == ENOSYS) {
                return List.of();
            }
            throw new VerbsUnavailableException("RDMA devices cannot be listed: " + e.getMessage());
        }
    }

    /** See {@link DeviceAttributes#pagesOnDemand}; false if that is not known. */
    public boolean pagesOnDemand() {
        return attributes.map(DeviceAttributes::pagesOnDemand).orElse(false);
    }

    private static DeviceSurvey ask(Libraries libraries, long device) throws VerbsException {
        String name = NativeMemory.getString(libraries.getDeviceName.pointer(device));
        try {
            long context = libraries.openDevice.pointer(device);
            try {
                return new DeviceSurvey(name, Optional.of(DeviceQueries.attributes(context)), "");
            } finally {
                libraries.closeDevice.check(context);
            }
        } catch (IOException e) {
            return new DeviceSurvey(name, Optional.empty(), String.valueOf(e.getMessage()));
        }
    }
}
