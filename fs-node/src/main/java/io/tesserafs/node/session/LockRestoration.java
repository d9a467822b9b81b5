package io.tesserafs.node.session;

import io.tesserafs.coherence.lock.HeldLock;
import io.tesserafs.coherence.lock.LockResult;
import io.tesserafs.node.session.VolumeWire.Op;
import io.tesserafs.node.session.WireIn.MalformedException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a node says to an owner on another one about the locks that it holds, over a way that is not the session's link yet. */
final class LockRestoration {
    private static final Logger LOG = LoggerFactory.getLogger(LockRestoration.class);
    private static final long TIMEOUT_MS = 3_000;

    private LockRestoration() {}

    /**
     * @param number of a call that was not used yet
     * @return what became of each; null if the owner does not answer
     */
    static @Nullable List<LockResult> ask(OwnerConnection owner, long number, long answeredBelow, List<HeldLock> said) {
        WireOut out = VolumeWire.request(Op.LOCK_RESTORE).i32(said.size());
        said.forEach(lock -> LockWire.request(out, lock.asRequest()));
        ByteBuffer answer = owner.call(number, answeredBelow, out.done(), TIMEOUT_MS);
        if (answer == null) {
            return null;
        }
        try {
            WireIn in = new WireIn(answer);
            int errno = in.i32();
            if (errno != 0) {
                LOG.warn("{} cannot take over file locks: errno {}", owner, errno);
                return null;
            }
            var _ = VolumeWire.span(in);
            List<LockResult> answers = new ArrayList<>(said.size());
            for (HeldLock _ : said) {
                answers.add(LockWire.result(in));
            }
            in.end();
            return answers;
        } catch (MalformedException e) {
            LOG.warn("{} answers nonsense: {}", owner, e.getMessage());
            return null;
        }
    }
}
