package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.RdmaCmEvent.EventType;

/** What an event of enum rdma_cm_event_type means for a queue pair that is connected, or for a door. */
enum CmNews {
    /** A peer wants to connect. */
    REQUEST,
    /** The connection is no more. */
    ENDED,
    /** The device is being taken out, and with it go the connection or the door. */
    REMOVED,
    /** Steps of connecting, and changes that a connection outlives. */
    OTHER;

    @SuppressWarnings("EnumOrdinal") // as numbered by librdmacm
    static CmNews of(int event) {
        if (event == EventType.RDMA_CM_EVENT_CONNECT_REQUEST.ordinal()) {
            return REQUEST;
        }
        if (event == EventType.RDMA_CM_EVENT_DEVICE_REMOVAL.ordinal()) {
            return REMOVED;
        }
        boolean ended = event == EventType.RDMA_CM_EVENT_DISCONNECTED.ordinal()
                || event == EventType.RDMA_CM_EVENT_TIMEWAIT_EXIT.ordinal();
        return ended ? ENDED : OTHER;
    }

    /** Whether nothing comes or goes by the connection any more. */
    boolean endsConnection() {
        return this == ENDED || this == REMOVED;
    }
}
