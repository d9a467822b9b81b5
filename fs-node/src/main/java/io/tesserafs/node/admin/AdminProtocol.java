package io.tesserafs.node.admin;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.node.admin.AdminException.Code;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The admin protocol: one JSON object per line each way, on a Unix domain socket.
 *
 * <pre>
 * request   {"v":1,"cmd":"status","args":{}}
 * answer    {"v":1,"ok":true,"result":...}
 *           {"v":1,"ok":false,"code":"NOT_FOUND","message":"..."}
 * </pre>
 *
 * A connection carries any number of requests, one at a time. A line that is too long or not JSON is answered with BAD_REQUEST
 * and ends the connection, since the next line's start is unknown.
 */
public final class AdminProtocol {
    public static final int VERSION = 1;

    /** Requests are names and paths; 64 KiB holds the longest path sixteen times. */
    static final int MAX_REQUEST_BYTES = 64 << 10;

    /** Answers are paged by their commands to stay far below this. */
    static final int MAX_ANSWER_BYTES = 16 << 20;

    private AdminProtocol() {}

    /** One request. */
    record AdminRequest(String command, ObjectNode args) {}

    static AdminRequest parseRequest(byte[] line) throws AdminException {
        JsonNode root = parse(line);
        int version = root.path("v").asInt(-1);
        if (version != VERSION) {
            throw new AdminException(
                    Code.VERSION, "this daemon speaks version " + VERSION + " of the admin protocol, not " + version);
        }
        JsonNode command = root.path("cmd");
        JsonNode args = root.path("args");
        if (!command.isTextual() || !(args.isMissingNode() || args.isObject())) {
            throw new AdminException(Code.BAD_REQUEST, "a request needs 'cmd' (text) and may have 'args' (object)");
        }
        return new AdminRequest(
                command.textValue(),
                args instanceof ObjectNode object ? object : JsonNodeFactory.instance.objectNode());
    }

    static byte[] request(String command, ObjectNode args) throws JsonProcessingException {
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        root.put("v", VERSION).put("cmd", command).set("args", args);
        return line(root);
    }

    static byte[] success(Object result) throws JsonProcessingException {
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        root.put("v", VERSION).put("ok", true).set("result", Json.MAPPER.valueToTree(result));
        return line(root);
    }

    static byte[] failure(Code code, @Nullable String message) throws JsonProcessingException {
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        root.put("v", VERSION)
                .put("ok", false)
                .put("code", code.name())
                .put("message", message == null ? code.name() : message);
        return line(root);
    }

    /** The result, or the daemon's refusal as an exception. */
    static JsonNode parseAnswer(byte[] line) throws AdminException {
        JsonNode root;
        try {
            root = parse(line);
        } catch (AdminException e) {
            throw new AdminException(Code.FAILED, "the daemon's answer is not understood", e);
        }
        if (root.path("ok").asBoolean(false)) {
            return root.path("result");
        }
        Code code = Arrays.stream(Code.values())
                .filter(known -> known.name().equals(root.path("code").asText()))
                .findFirst()
                .orElse(Code.FAILED);
        throw new AdminException(code, root.path("message").asText("the daemon gave no reason"));
    }

    private static JsonNode parse(byte[] line) throws AdminException {
        try {
            @Nullable JsonNode root = Json.MAPPER.readTree(line);
            if (root == null || !root.isObject()) {
                throw new AdminException(Code.BAD_REQUEST, "not a JSON object");
            }
            return root;
        } catch (IOException e) {
            throw new AdminException(Code.BAD_REQUEST, "not JSON", e);
        }
    }

    private static byte[] line(ObjectNode root) throws JsonProcessingException {
        return (Json.MAPPER.writeValueAsString(root) + "\n").getBytes(StandardCharsets.UTF_8);
    }

    static void write(SocketChannel channel, byte[] line) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(line);
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }

    /** Reads lines of bounded length. Not thread-safe. */
    static final class LineReader {
        private static final int INITIAL_BYTES = 4096;

        private final SocketChannel channel;
        private final int maxBytes;
        private ByteBuffer buffer = ByteBuffer.allocate(INITIAL_BYTES).flip();

        LineReader(SocketChannel channel, int maxBytes) {
            this.channel = channel;
            this.maxBytes = maxBytes;
        }

        /** The next line without its end, or null at the end of the stream. */
        byte @Nullable [] next() throws IOException, AdminException {
            int scanned = 0;
            while (true) {
                for (; scanned < buffer.remaining(); scanned++) {
                    if (buffer.get(buffer.position() + scanned) == '\n') {
                        byte[] line = new byte[scanned];
                        buffer.get(line);
                        buffer.get();
                        return line;
                    }
                }
                if (scanned > maxBytes) {
                    throw new AdminException(Code.BAD_REQUEST, "a line is longer than " + maxBytes + " bytes");
                }
                if (!fill()) {
                    if (scanned == 0) {
                        return null;
                    }
                    throw new EOFException("the connection ended within a line");
                }
            }
        }

        private boolean fill() throws IOException {
            if (buffer.remaining() == buffer.capacity()) {
                buffer = ByteBuffer.allocate(buffer.capacity() * 2).put(buffer);
            } else {
                buffer.compact();
            }
            int read = channel.read(buffer);
            buffer.flip();
            return read >= 0;
        }
    }
}
