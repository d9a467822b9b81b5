package io.tesserafs.fabric.brick;

/** How the bytes of a brick are reached from this process. */
public enum Provider {
    /** The brick is in this process. */
    LOCAL,
    /** Its pool is mapped here; calls travel by a connection. */
    SHM,
    /** Everything travels by connections. */
    TCP,
    /** Calls travel by a connection, bytes by RDMA straight out of and into the pool. */
    VERBS
}
