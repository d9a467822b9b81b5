package io.tesserafs.fabric.peer;

/**
 * Who is at the other end, as authenticated when the connection was made.
 *
 * @param node number of the node, 1..65535
 * @param incarnation chosen at random by each daemon when it starts, so that one that was restarted is not taken for its predecessor
 */
public record PeerId(int node, long incarnation) {
    public PeerId {
        if (node < 1 || node > 0xFFFF) {
            throw new IllegalArgumentException("node number out of range: " + node);
        }
    }

    @Override
    public String toString() {
        return "n" + node + "/" + Long.toHexString(incarnation);
    }
}
