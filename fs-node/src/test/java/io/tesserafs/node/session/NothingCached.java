package io.tesserafs.node.session;

import io.tesserafs.coherence.token.Mode;
import io.tesserafs.coherence.token.Resource;
import io.tesserafs.coherence.token.TokenClient;
import org.jspecify.annotations.Nullable;

/** A node without caches: tokens can go at any time. */
final class NothingCached implements TokenClient.RecallHandler {
    @Override
    public void invalidate(Resource resource, long fromByte, long toByte) {}

    @Override
    public void flush(Resource resource, long fromByte, long toByte, @Nullable Mode keep) {}
}
