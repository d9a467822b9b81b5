package io.tesserafs.coherence.membership;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;

/** Number of a node, from its configuration. 1..65535. */
public record NodeId(@JsonValue int value) {
    @JsonCreator
    public NodeId {
        if (value < 1 || value > 0xFFFF) {
            throw new IllegalArgumentException("node id out of range: " + value);
        }
    }

    @Override
    public String toString() {
        return "n" + value;
    }
}
