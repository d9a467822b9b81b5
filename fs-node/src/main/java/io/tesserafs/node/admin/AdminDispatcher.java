package io.tesserafs.node.admin;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.tesserafs.node.admin.AdminException.Code;
import io.tesserafs.node.admin.AdminProtocol.AdminRequest;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Turns each request into exactly one answer, whatever its handler does. Thread-safe. */
final class AdminDispatcher {
    private static final Logger LOG = LoggerFactory.getLogger(AdminDispatcher.class);

    private final Map<String, AdminHandler> handlers;
    private final int maxAnswerBytes;

    AdminDispatcher(Map<String, AdminHandler> handlers, int maxAnswerBytes) {
        this.handlers = Map.copyOf(handlers);
        this.maxAnswerBytes = maxAnswerBytes;
    }

    byte[] answer(AdminRequest request) throws JsonProcessingException {
        AdminHandler handler = handlers.get(request.command());
        if (handler == null) {
            return AdminProtocol.failure(
                    Code.UNKNOWN_COMMAND, "this daemon does not know the command '" + request.command() + "'");
        }
        try {
            byte[] answer = AdminProtocol.success(handler.handle(request.args()));
            return answer.length <= maxAnswerBytes
                    ? answer
                    : AdminProtocol.failure(Code.FAILED, "the answer is too long");
        } catch (AdminException e) {
            LOG.debug("{} refused", request.command(), e);
            return AdminProtocol.failure(e.code(), e.getMessage());
        } catch (RuntimeException e) {
            LOG.error("admin command {} failed", request.command(), e);
            return AdminProtocol.failure(Code.FAILED, request.command() + " failed: " + e);
        }
    }
}
