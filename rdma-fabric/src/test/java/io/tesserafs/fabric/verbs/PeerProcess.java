package io.tesserafs.fabric.verbs;

import io.tesserafs.fabric.peer.Connection;
import io.tesserafs.fabric.peer.PeerId;
import io.tesserafs.fabric.peer.Service;
import java.nio.ByteBuffer;
import java.util.concurrent.CountDownLatch;

/** A peer in a process of its own, to be killed. Arguments: address of its device. Prints where it listens. */
final class PeerProcess {
    static final int SERVICE = 101;

    private PeerProcess() {}

    public static void main(String... arguments) throws Exception {
        VerbsNode node = VerbsNode.at(arguments[0], new PeerId(9, 9));
        node.transport().serve(SERVICE, new Service() {
            @Override
            public ByteBuffer call(Connection from, ByteBuffer request) {
                return ByteBuffer.allocate(request.remaining()).put(request).flip();
            }

            @Override
            public void notified(Connection from, ByteBuffer message) {
                throw new IllegalStateException("no notification is due");
            }
        });
        System.out.println(node.transport().start());
        new CountDownLatch(1).await();
    }
}
