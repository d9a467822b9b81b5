package io.tesserafs.fabric.verbs;

import com.ibm.disni.verbs.IbvQP;
import com.ibm.disni.verbs.IbvSendWR;
import com.ibm.disni.verbs.IbvSge;
import com.ibm.disni.verbs.SVCPostSend;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The requests of one slot, each prepared when it is first wanted, and then changed and posted again and again, which allocates nothing. There is
 * one for each number of elements, as DiSNI's interface cannot change that. Used by one thread at a time.
 */
final class PreparedPosts {
    private final Preparation preparation;

    /** By kind, whether it is signalled, and number of elements. */
    private final @Nullable SVCPostSend[][] known = new @Nullable SVCPostSend[4][Gather.MAX_ELEMENTS + 1];

    /** Lays a request out. */
    interface Preparation {
        /** @param flags of {@code IbvSendWR.IBV_SEND_...} */
        SVCPostSend run(int opcode, int flags, int elements) throws IOException;
    }

    PreparedPosts(Preparation preparation) {
        this.preparation = preparation;
    }

    /** @param requestId of all */
    static PreparedPosts of(IbvQP qp, int requestId) {
        return new PreparedPosts((opcode, flags, elements) -> {
            IbvSendWR request = new IbvSendWR();
            request.setWr_id(requestId);
            request.setOpcode(opcode);
            request.setSend_flags(flags);
            for (int i = 0; i < elements; i++) {
                request.getSg_list().add(new IbvSge());
            }
            request.setNum_sge(elements);
            return qp.postSend(List.of(request), null);
        });
    }

    /** @param signalled if not, it completes unseen, unless it fails: a request that is posted after it has to be waited for */
    SVCPostSend get(OneSided kind, int elements, boolean signalled) throws IOException {
        @Nullable SVCPostSend[] alike = known[(kind == OneSided.WRITE ? 2 : 0) + (signalled ? 1 : 0)];
        SVCPostSend post = alike[elements];
        if (post == null) {
            post = preparation.run(kind.opcode, signalled ? IbvSendWR.IBV_SEND_SIGNALED : 0, elements);
            alike[elements] = post;
        }
        return post;
    }

    /** A WRITE of one element whose bytes travel in the request. */
    SVCPostSend inlineWrite() throws IOException {
        return preparation.run(IbvSendWR.IBV_WR_RDMA_WRITE, IbvSendWR.IBV_SEND_SIGNALED | IbvSendWR.IBV_SEND_INLINE, 1);
    }
}
