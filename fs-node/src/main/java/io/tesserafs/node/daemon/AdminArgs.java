package io.tesserafs.node.daemon;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tesserafs.fuse.mount.MountException;
import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.admin.AdminException.Code;
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
}
