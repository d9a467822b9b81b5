package io.tesserafs.node.session;

/** Whether the owner of a volume is the owner still, while ZooKeeper does not say so. Thread-safe. */
@FunctionalInterface
public interface Tenure {
    /** Returns true if at some moment after the call nobody had taken over. May block; then false if it has ended. */
    boolean isProved();
}
