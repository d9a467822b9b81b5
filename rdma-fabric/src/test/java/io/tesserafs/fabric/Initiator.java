package io.tesserafs.fabric;

/** Reaches the bricks of others by RDMA. */
public interface Initiator extends AutoCloseable {
    Fabric fabric(BrickResolver resolver);

    /** By RDMA, so far. */
    long bytesMoved();

    /** Whose bytes went another way. */
    long clientsGivenUp();

    @Override
    void close();
}
