package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvWC.IbvWcStatus;

/** Enum ibv_wc_status. The libraries may have codes that DiSNI does not know. */
final class CompletionStatus {
    private CompletionStatus() {}

    @SuppressWarnings("EnumOrdinal") // as numbered by libibverbs
    static boolean is(int status, IbvWcStatus code) {
        return status == code.ordinal();
    }

    static String describe(int status) {
        for (IbvWcStatus code : IbvWcStatus.values()) {
            if (is(status, code)) {
                return code.toString();
            }
        }
        return "status " + status;
    }
}
