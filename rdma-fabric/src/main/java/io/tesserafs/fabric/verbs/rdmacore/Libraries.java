package io.tesserafs.fabric.verbs.rdmacore;

import io.tesserafs.fabric.verbs.rdmacore.NativeCall.Kind;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/** The functions of libibverbs and librdmacm, loaded once for the process. What the headers inline is {@link Operations}'. */
final class Libraries {
    private static final String VERBS_VERSION = "IBVERBS_1.1";
    private static final String FIRST_VERBS_VERSION = "IBVERBS_1.0";
    private static final String EXTENDED_QP_VERSION = "IBVERBS_1.6";
    private static final String CM_VERSION = "RDMACM_1.0";

    /** Guarded by the class, as is the failure. */
    private static @Nullable Libraries loaded;

    private static @Nullable String failure;

    final NativeCall getDeviceList;
    final NativeCall freeDeviceList;
    final NativeCall getDeviceName;
    final NativeCall openDevice;
    final NativeCall closeDevice;
    final NativeCall queryDevice;
    final NativeCall queryGid;
    final NativeCall allocPd;
    final NativeCall deallocPd;
    final NativeCall regMr;
    final NativeCall deregMr;
    final NativeCall createCompChannel;
    final NativeCall destroyCompChannel;
    final NativeCall createCq;
    final NativeCall destroyCq;
    final NativeCall getCqEvent;
    final NativeCall ackCqEvents;
    final NativeCall modifyQp;
    /** Null in libraries of before 2019, as is the other. */
    final @Nullable NativeCall qpToQpEx;

    final NativeCall createEventChannel;
    final NativeCall destroyEventChannel;
    final NativeCall createId;
    final NativeCall destroyId;
    final NativeCall bindAddr;
    final NativeCall listen;
    final NativeCall resolveAddr;
    final NativeCall resolveRoute;
    final NativeCall createQp;
    final @Nullable NativeCall createQpEx;
    final NativeCall destroyQp;
    final NativeCall connect;
    final NativeCall accept;
    final NativeCall reject;
    final NativeCall disconnect;
    final NativeCall getCmEvent;
    final NativeCall ackCmEvent;

    private Libraries() throws VerbsUnavailableException {
        NativeLibrary verbs = NativeLibrary.open("libibverbs.so.1", VERBS_VERSION);
        getDeviceList = verbs.function("ibv_get_device_list", Kind.POINTER, 1);
        freeDeviceList = verbs.function("ibv_free_device_list", Kind.NOTHING, 1);
        getDeviceName = verbs.function("ibv_get_device_name", Kind.POINTER, 1);
        openDevice = verbs.function("ibv_open_device", Kind.POINTER, 1);
        closeDevice = verbs.function("ibv_close_device", Kind.CODE, 1);
        queryDevice = verbs.function("ibv_query_device", Kind.CODE, 2);
        queryGid = verbs.function("ibv_query_gid", Kind.CODE, 4);
        allocPd = verbs.function("ibv_alloc_pd", Kind.POINTER, 1);
        deallocPd = verbs.function("ibv_dealloc_pd", Kind.CODE, 1);
        regMr = verbs.function("ibv_reg_mr", Kind.POINTER, 4);
        deregMr = verbs.function("ibv_dereg_mr", Kind.CODE, 1);
        createCompChannel = verbs.function("ibv_create_comp_channel", FIRST_VERBS_VERSION, Kind.POINTER, 1);
        destroyCompChannel = verbs.function("ibv_destroy_comp_channel", FIRST_VERBS_VERSION, Kind.CODE, 1);
        createCq = verbs.function("ibv_create_cq", Kind.POINTER, 5);
        destroyCq = verbs.function("ibv_destroy_cq", Kind.CODE, 1);
        getCqEvent = verbs.function("ibv_get_cq_event", Kind.CODE, 3);
        ackCqEvents = verbs.function("ibv_ack_cq_events", Kind.NOTHING, 2);
        modifyQp = verbs.function("ibv_modify_qp", Kind.CODE, 3);
        qpToQpEx = verbs.functionIfAny("ibv_qp_to_qp_ex", EXTENDED_QP_VERSION, Kind.POINTER, 1);

        NativeLibrary cm = NativeLibrary.open("librdmacm.so.1", CM_VERSION);
        createEventChannel = cm.function("rdma_create_event_channel", Kind.POINTER, 0);
        destroyEventChannel = cm.function("rdma_destroy_event_channel", Kind.NOTHING, 1);
        createId = cm.function("rdma_create_id", Kind.CODE, 4);
        destroyId = cm.function("rdma_destroy_id", Kind.CODE, 1);
        bindAddr = cm.function("rdma_bind_addr", Kind.CODE, 2);
        listen = cm.function("rdma_listen", Kind.CODE, 2);
        resolveAddr = cm.function("rdma_resolve_addr", Kind.CODE, 4);
        resolveRoute = cm.function("rdma_resolve_route", Kind.CODE, 2);
        createQp = cm.function("rdma_create_qp", Kind.CODE, 3);
        createQpEx = cm.functionIfAny("rdma_create_qp_ex", CM_VERSION, Kind.CODE, 2);
        destroyQp = cm.function("rdma_destroy_qp", Kind.NOTHING, 1);
        connect = cm.function("rdma_connect", Kind.CODE, 2);
        accept = cm.function("rdma_accept", Kind.CODE, 2);
        reject = cm.function("rdma_reject", Kind.CODE, 3);
        disconnect = cm.function("rdma_disconnect", Kind.CODE, 1);
        getCmEvent = cm.function("rdma_get_cm_event", Kind.CODE, 2);
        ackCmEvent = cm.function("rdma_ack_cm_event", Kind.CODE, 1);
    }

    /** @throws VerbsUnavailableException with the same message at every call */
    static synchronized Libraries get() throws VerbsUnavailableException {
        if (failure != null) {
            throw new VerbsUnavailableException(failure);
        }
        Libraries libraries = loaded;
        if (libraries == null) {
            try {
                checkPlatform();
                libraries = new Libraries();
                loaded = libraries;
            } catch (VerbsUnavailableException e) {
                failure = String.valueOf(e.getMessage());
                throw e;
            }
        }
        return libraries;
    }

    private static void checkPlatform() throws VerbsUnavailableException {
        String platform = System.getProperty("os.name") + " on " + System.getProperty("os.arch");
        boolean known = platform.equals("Linux on amd64") || platform.equals("Linux on aarch64");
        if (!known
                || ValueLayout.ADDRESS.byteSize() != Long.BYTES
                || ByteOrder.nativeOrder() != ByteOrder.LITTLE_ENDIAN) {
            throw new VerbsUnavailableException("the layout of verbs structures is not known for " + platform);
        }
    }
}
