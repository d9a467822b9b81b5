package io.tesserafs.fabric.verbs.rdmacore;

/**
 * Sizes and offsets of the structures of libibverbs (symbol version IBVERBS_1.1) and librdmacm (RDMACM_1.0) that are read or written
 * here, bytes. The same for x86-64 and aarch64; fields are of the host's byte order. The structures are frozen by those symbol
 * versions; a test compares this with the headers.
 */
final class VerbsLayout {
    // struct ibv_context, with the table of inlined functions
    static final int CONTEXT_BYTES = 328;
    static final int CONTEXT_DEVICE = 0;
    static final int CONTEXT_ALLOC_MW = 64;
    static final int CONTEXT_DEALLOC_MW = 80;
    static final int CONTEXT_POLL_CQ = 96;
    static final int CONTEXT_REQ_NOTIFY_CQ = 104;
    static final int CONTEXT_POST_SEND = 208;
    static final int CONTEXT_POST_RECV = 216;
    static final int CONTEXT_COMMAND_FD = 264;
    static final int CONTEXT_ASYNC_FD = 268;
    static final int CONTEXT_COMPLETION_VECTORS = 272;
    static final int CONTEXT_ABI_COMPAT = 320;

    // struct verbs_context, which lies around an ibv_context
    static final int EXTENDED_BYTES = 648;
    static final int EXTENDED_QUERY_DEVICE_EX = 216;
    static final int EXTENDED_SIZE = 312;
    static final int EXTENDED_CONTEXT = 320;

    // struct ibv_pd
    static final int PD_CONTEXT = 0;
    static final int PD_HANDLE = 8;

    // struct ibv_mr
    static final int MR_CONTEXT = 0;
    static final int MR_PD = 8;
    static final int MR_ADDRESS = 16;
    static final int MR_LENGTH = 24;
    static final int MR_HANDLE = 32;
    static final int MR_LKEY = 36;
    static final int MR_RKEY = 40;

    // struct ibv_mw
    static final int MW_RKEY = 16;
    static final int MW_HANDLE = 20;
    static final int MW_TYPE = 24;
    static final int MW_PD = 8;

    // struct ibv_cq
    static final int CQ_CONTEXT = 0;
    static final int CQ_CHANNEL = 8;
    static final int CQ_HANDLE = 24;
    static final int CQ_ENTRIES = 28;

    // struct ibv_comp_channel
    static final int CHANNEL_CONTEXT = 0;
    static final int CHANNEL_FD = 8;

    // struct ibv_qp
    static final int QP_CONTEXT = 0;
    static final int QP_PD = 16;
    static final int QP_SEND_CQ = 24;
    static final int QP_RECV_CQ = 32;
    static final int QP_HANDLE = 48;
    static final int QP_NUMBER = 52;
    static final int QP_STATE = 56;
    static final int QP_TYPE = 60;

    // struct ibv_qp_ex, which begins with an ibv_qp; wr_flush is its last since rdma-core 45, behind wr_abort and
    // wr_atomic_write
    static final int QP_EX_ID = 168;
    static final int QP_EX_FLAGS = 176;
    static final int QP_EX_START = 320;
    static final int QP_EX_COMPLETE = 328;
    static final int QP_EX_FLUSH = 352;

    // struct ibv_qp_init_attr
    static final int INIT_BYTES = 64;
    static final int INIT_SEND_CQ = 8;
    static final int INIT_RECV_CQ = 16;
    static final int INIT_SRQ = 24;
    static final int INIT_MAX_SEND_WR = 32;
    static final int INIT_MAX_RECV_WR = 36;
    static final int INIT_MAX_SEND_SGE = 40;
    static final int INIT_MAX_RECV_SGE = 44;
    static final int INIT_MAX_INLINE = 48;
    static final int INIT_QP_TYPE = 52;
    static final int INIT_SIGNAL_ALL = 56;

    // struct ibv_qp_init_attr_ex, which begins like the above
    static final int INIT_EX_BYTES = 136;
    static final int INIT_EX_MASK = 60;
    static final int INIT_EX_PD = 64;
    static final int INIT_EX_SEND_OPERATIONS = 128;

    // struct ibv_sge
    static final int SGE_BYTES = 16;
    static final int SGE_ADDRESS = 0;
    static final int SGE_LENGTH = 8;
    static final int SGE_LKEY = 12;

    // struct ibv_send_wr
    static final int SEND_WR_BYTES = 128;
    static final int SEND_WR_ID = 0;
    static final int SEND_WR_NEXT = 8;
    static final int SEND_WR_SG_LIST = 16;
    static final int SEND_WR_NUM_SGE = 24;
    static final int SEND_WR_OPCODE = 28;
    static final int SEND_WR_FLAGS = 32;
    static final int SEND_WR_IMMEDIATE = 36;
    static final int SEND_WR_INVALIDATE_RKEY = 36;
    static final int SEND_WR_REMOTE_ADDRESS = 40;
    static final int SEND_WR_RKEY = 48;
    static final int SEND_WR_ATOMIC_COMPARE_ADD = 48;
    static final int SEND_WR_ATOMIC_SWAP = 56;
    static final int SEND_WR_ATOMIC_RKEY = 64;
    static final int SEND_WR_BIND_MW = 80;
    static final int SEND_WR_BIND_RKEY = 88;
    static final int SEND_WR_BIND_MR = 96;
    static final int SEND_WR_BIND_ADDRESS = 104;
    static final int SEND_WR_BIND_LENGTH = 112;
    static final int SEND_WR_BIND_ACCESS = 120;

    // struct ibv_recv_wr
    static final int RECV_WR_BYTES = 32;
    static final int RECV_WR_ID = 0;
    static final int RECV_WR_NEXT = 8;
    static final int RECV_WR_SG_LIST = 16;
    static final int RECV_WR_NUM_SGE = 24;

    // struct ibv_wc
    static final int WC_BYTES = 48;
    static final int WC_ID = 0;
    static final int WC_STATUS = 8;
    static final int WC_OPCODE = 12;
    static final int WC_VENDOR_ERROR = 16;
    static final int WC_BYTES_MOVED = 20;
    static final int WC_IMMEDIATE = 24;
    static final int WC_QP_NUMBER = 28;
    static final int WC_SOURCE_QP = 32;
    static final int WC_FLAGS = 36;

    // struct ibv_device_attr
    static final int DEVICE_ATTR_BYTES = 232;
    static final int DEVICE_ATTR_FIRMWARE = 0;
    static final int DEVICE_ATTR_NODE_GUID = 64;
    static final int DEVICE_ATTR_MAX_MR_SIZE = 80;
    static final int DEVICE_ATTR_VENDOR_ID = 96;
    static final int DEVICE_ATTR_MAX_QP = 108;
    static final int DEVICE_ATTR_MAX_QP_WR = 112;
    static final int DEVICE_ATTR_CAPABILITIES = 116;
    static final int DEVICE_ATTR_MAX_SGE = 120;
    static final int DEVICE_ATTR_MAX_SGE_READ = 124;
    static final int DEVICE_ATTR_MAX_CQE = 132;
    static final int DEVICE_ATTR_MAX_MR = 136;
    static final int DEVICE_ATTR_MAX_READS = 144;
    static final int DEVICE_ATTR_MAX_READS_INITIATED = 156;
    static final int DEVICE_ATTR_MAX_MW = 176;
    static final int DEVICE_ATTR_MAX_SRQ = 212;
    static final int DEVICE_ATTR_PORTS = 227;

    // struct ibv_device_attr_ex
    static final int DEVICE_ATTR_EX_BYTES = 400;
    static final int DEVICE_ATTR_EX_ODP_GENERAL = 240;
    static final int DEVICE_ATTR_EX_ODP_RC = 248;
    static final int DEVICE_ATTR_EX_CAPABILITIES = 280;

    // struct rdma_cm_id
    static final int CM_ID_VERBS = 0;
    static final int CM_ID_CHANNEL = 8;
    static final int CM_ID_QP = 24;
    static final int CM_ID_SOURCE = 32;
    static final int CM_ID_DESTINATION = 160;
    static final int CM_ID_PORT_SPACE = 344;
    static final int CM_ID_PORT = 348;
    static final int CM_ID_BYTES = 416;

    // struct ibv_qp_attr
    static final int QP_ATTR_BYTES = 144;
    static final int QP_ATTR_STATE = 0;

    // struct rdma_event_channel
    static final int CM_CHANNEL_FD = 0;

    // struct rdma_cm_event
    static final int CM_EVENT_BYTES = 80;
    static final int CM_EVENT_ID = 0;
    static final int CM_EVENT_LISTEN_ID = 8;
    static final int CM_EVENT_KIND = 16;
    static final int CM_EVENT_STATUS = 20;
    static final int CM_EVENT_PARAM = 24;

    // struct rdma_conn_param
    static final int CONN_PARAM_BYTES = 24;
    static final int CONN_PARAM_PRIVATE_DATA = 0;
    static final int CONN_PARAM_PRIVATE_DATA_LENGTH = 8;
    static final int CONN_PARAM_RESPONDER_RESOURCES = 9;
    static final int CONN_PARAM_INITIATOR_DEPTH = 10;
    static final int CONN_PARAM_FLOW_CONTROL = 11;
    static final int CONN_PARAM_RETRY_COUNT = 12;
    static final int CONN_PARAM_RNR_RETRY_COUNT = 13;
    static final int CONN_PARAM_SRQ = 14;
    static final int CONN_PARAM_QP_NUMBER = 16;

    private VerbsLayout() {}
}
