package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.verbs.rdmacore.RdmaCore;
import java.io.IOException;
import java.net.InetAddress;

/** What lets peers in: where they connect, and the memory to which they are given keys. */
record Entrance(Door door, TargetMemory memory) {
    static Entrance open(RdmaCore core, InetAddress address, KeyPolicy policy) throws IOException {
        Door door = new Door(core, address);
        try {
            return new Entrance(door, new TargetMemory(core, door.device(), policy));
        } catch (IOException e) {
            QueuePairs.all(door::close);
            throw e;
        }
    }

    /** After all that came in here. */
    void close() throws IOException {
        QueuePairs.all(memory::close, door::close);
    }
}
