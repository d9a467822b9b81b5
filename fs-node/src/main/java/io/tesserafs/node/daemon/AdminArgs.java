package io.tesserafs.node.daemon;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.fuse.mount.MountException;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.AdminException.Code;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** What all admin commands do with their arguments and failures. */
final class AdminArgs {
    private AdminArgs() {}

    static String text(ObjectNode args, String key) throws AdminException {
        @Nullable String value = args.path(key).textValue();
        if (value == null || value.isEmpty()) {
            throw new AdminException(Code.BAD_REQUEST, "argument " + key + " is missing");
        }
        return value;
    }

    static long number(ObjectNode args, String key) throws AdminException {
        if (!args.path(key).canConvertToLong() || !args.path(key).isIntegralNumber()) {
            throw new AdminException(Code.BAD_REQUEST, "argument " + key + " is missing, or not a number");
        }
        return args.path(key).longValue();
    }

    static AdminException failed(Exception e) {
        boolean busy = e instanceof MountException mount && mount.reason() == MountException.Reason.BUSY;
        String message = e.getMessage() == null ? e.toString() : e.getMessage();
        return new AdminException(busy ? Code.BUSY : Code.FAILED, message, e);
    }

    /** @param late why, for the operator, if the answer is not there within the limit */
    static <T> T await(CompletableFuture<T> answer, Duration limit, String late) throws AdminException {
        try {
            return answer.get(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new AdminException(Code.FAILED, late, e);
        } catch (ExecutionException e) {
            throw failed(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AdminException(Code.FAILED, "interrupted", e);
        }
    }

    /** A constant as it is shown. */
    static String lower(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }
}
