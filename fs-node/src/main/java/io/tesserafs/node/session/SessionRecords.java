package io.tesserafs.node.session;

import io.tesserafs.fabric.brick.SessionId;
import java.io.IOException;

/** Where the sessions of a volume are written down for the next owner. May block. */
public interface SessionRecords {
    void add(SessionId session, int node) throws IOException;

    void remove(SessionId session) throws IOException;
}
