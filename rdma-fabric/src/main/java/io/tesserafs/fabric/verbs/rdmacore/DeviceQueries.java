package io.tesserafs.fabric.verbs.rdmacore;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** What DiSNI's interface does not ask of devices. */
final class DeviceQueries {
    private static final int GID_BYTES = 16;

    /** Of the capabilities, those that the smaller structure has no room for. */
    private static final long EXTENDED_CAPABILITIES = 0xFFFF_FFFFL << 32;

    /** In place of a pointer, in contexts that are part of a struct verbs_context: all that rdma-core makes. */
    private static final long EXTENDED_MARK = -1;

    private static final MethodHandle QUERY_DEVICE_EX = Linker.nativeLinker()
            .downcallHandle(FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));

    private DeviceQueries() {}

    /** Names of the devices that the kernel and the libraries know. */
    static List<String> devices(Libraries libraries) throws VerbsException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment count = arena.allocate(JAVA_INT);
            long list = libraries.getDeviceList.pointer(count.address());
            try {
                List<String> names = new ArrayList<>();
                for (int i = 0; i < count.get(JAVA_INT, 0); i++) {
                    long device = NativeMemory.getLong(list + (long) i * Long.BYTES);
                    names.add(NativeMemory.getString(libraries.getDeviceName.pointer(device)));
                }
                return names;
            } finally {
                libraries.freeDeviceList.run(list);
            }
        }
    }

    static String name(CoreContext device) throws IOException {
        long address = NativeMemory.getLong(device.address + VerbsLayout.CONTEXT_DEVICE);
        return NativeMemory.getString(Libraries.get().getDeviceName.pointer(address));
    }

    static byte[] gid(CoreContext device, int port, int index) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment gid = arena.allocate(GID_BYTES, Long.BYTES);
            Libraries.get().queryGid.check(device.address, port, index, gid.address());
            return gid.toArray(JAVA_BYTE);
        }
    }

    /** @param context address of an open device */
    static DeviceAttributes attributes(long context) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment in = arena.allocate(VerbsLayout.DEVICE_ATTR_BYTES, Long.BYTES);
            Libraries.get().queryDevice.check(context, in.address());
            MemorySegment extended = arena.allocate(VerbsLayout.DEVICE_ATTR_EX_BYTES, Long.BYTES);
            queryExtended(context, extended);
            long flags = Integer.toUnsignedLong(in.get(JAVA_INT, VerbsLayout.DEVICE_ATTR_CAPABILITIES))
                    | extended.get(JAVA_LONG, VerbsLayout.DEVICE_ATTR_EX_CAPABILITIES) & EXTENDED_CAPABILITIES;
            Set<DeviceAttributes.Capability> capabilities = EnumSet.noneOf(DeviceAttributes.Capability.class);
            for (DeviceAttributes.Capability one : DeviceAttributes.Capability.values()) {
                if (one.isIn(flags)) {
                    capabilities.add(one);
                }
            }
            return new DeviceAttributes(
                    in.getString(VerbsLayout.DEVICE_ATTR_FIRMWARE),
                    in.get(JAVA_LONG, VerbsLayout.DEVICE_ATTR_MAX_MR_SIZE),
                    in.get(JAVA_INT, VerbsLayout.DEVICE_ATTR_VENDOR_ID),
                    in.get(JAVA_INT, VerbsLayout.DEVICE_ATTR_MAX_QP),
                    in.get(JAVA_INT, VerbsLayout.DEVICE_ATTR_MAX_QP_WR),
                    in.get(JAVA_INT, VerbsLayout.DEVICE_ATTR_MAX_SGE),
                    in.get(JAVA_INT, VerbsLayout.DEVICE_ATTR_MAX_SGE_READ),
                    in.get(JAVA_INT, VerbsLayout.DEVICE_ATTR_MAX_CQE),
                    in.get(JAVA_INT, VerbsLayout.DEVICE_ATTR_MAX_MR),
                    in.get(JAVA_INT, VerbsLayout.DEVICE_ATTR_MAX_READS),
                    in.get(JAVA_INT, VerbsLayout.DEVICE_ATTR_MAX_READS_INITIATED),
                    in.get(JAVA_INT, VerbsLayout.DEVICE_ATTR_MAX_MW),
                    in.get(JAVA_BYTE, VerbsLayout.DEVICE_ATTR_PORTS) & 0xFF,
                    capabilities,
                    extended.get(JAVA_INT, VerbsLayout.DEVICE_ATTR_EX_ODP_RC));
        }
    }

    /** For RC; 0 if there is none, or if the device's driver cannot be asked. */
    static int odpSupport(long context) throws VerbsException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(VerbsLayout.DEVICE_ATTR_EX_BYTES, Long.BYTES);
            queryExtended(context, out);
            return out.get(JAVA_INT, VerbsLayout.DEVICE_ATTR_EX_ODP_RC);
        }
    }

    /** @param out stays as it is if the device's driver cannot be asked */
    private static void queryExtended(long context, MemorySegment out) throws VerbsException {
        long extended = context - VerbsLayout.EXTENDED_CONTEXT;
        if (NativeMemory.getLong(context + VerbsLayout.CONTEXT_ABI_COMPAT) != EXTENDED_MARK
                || NativeMemory.getLong(extended + VerbsLayout.EXTENDED_SIZE)
                        < VerbsLayout.EXTENDED_BYTES - VerbsLayout.EXTENDED_QUERY_DEVICE_EX) {
            return;
        }
        MemorySegment query =
                MemorySegment.ofAddress(NativeMemory.getLong(extended + VerbsLayout.EXTENDED_QUERY_DEVICE_EX));
        if (query.address() == 0) {
            return;
        }
        try {
            int error = (int) QUERY_DEVICE_EX.invokeExact(
                    query, context, 0L, out.address(), (long) VerbsLayout.DEVICE_ATTR_EX_BYTES);
            if (error != 0) {
                throw new VerbsException("ibv_query_device_ex", error);
            }
        } catch (VerbsException e) {
            throw e;
        } catch (Throwable t) {
            throw Errors.unchecked(t);
        }
    }
}
