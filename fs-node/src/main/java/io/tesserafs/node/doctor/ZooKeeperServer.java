package io.tesserafs.node.doctor;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/**
 * What one server of an ensemble answers to {@code srvr}, the one of its "four letter words" that is allowed by default.
 *
 * @param mode such as leader, follower, standalone; empty if the server does not say
 * @param serves false if it is up, but has no majority of its ensemble
 * @param took from the beginning of the connection to the answer
 */
record ZooKeeperServer(String mode, boolean serves, Duration took) {
    private static final int TIMEOUT_MS = 5000;

    /** The answer has a few hundred bytes. */
    private static final int MAX_ANSWER_BYTES = 4096;

    private static final String MODE = "Mode: ";
    private static final String NOT_SERVING = "not currently serving requests";

    static ZooKeeperServer ask(InetSocketAddress server) throws IOException {
        long begun = System.nanoTime();
        try (Socket socket = new Socket()) {
            socket.setSoTimeout(TIMEOUT_MS);
            socket.connect(server, TIMEOUT_MS);
            socket.getOutputStream().write("srvr".getBytes(StandardCharsets.US_ASCII));
            InputStream in = socket.getInputStream();
            String answer = new String(in.readNBytes(MAX_ANSWER_BYTES), StandardCharsets.US_ASCII);
            return parse(answer, Duration.ofNanos(System.nanoTime() - begun));
        }
    }

    static ZooKeeperServer parse(String answer, Duration took) {
        String mode = answer.lines()
                .filter(line -> line.startsWith(MODE))
                .map(line -> line.substring(MODE.length()).strip())
                .findFirst()
                .orElse("");
        return new ZooKeeperServer(mode, !answer.contains(NOT_SERVING), took);
    }
}
