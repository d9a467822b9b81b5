package io.tesserafs.node.daemon;

import java.util.Locale;

/** Life of a daemon. It only ever moves forward. */
public enum DaemonState {
    NEW,
    STARTING,
    READY,
    STOPPING,
    STOPPED;

    /** A start that fails, and one that is interrupted by SIGTERM, go to STOPPING, too. */
    boolean mayBecome(DaemonState next) {
        return switch (this) {
            case NEW -> next == STARTING;
            case STARTING -> next == READY || next == STOPPING;
            case READY -> next == STOPPING;
            case STOPPING -> next == STOPPED;
            case STOPPED -> false;
        };
    }

    /** As it stands on the wire and in status output. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }
}
