package io.tesserafs.node.session;

import io.tesserafs.coherence.session.SessionTerms;
import io.tesserafs.fabric.brick.SessionId;
import io.tesserafs.node.namespace.VolumeOwner;
import java.util.Map;

/** Owners of volume 1 in one process, with nobody to fence and nothing written down for the next one. */
public final class OwnedVolumes {
    /** No session ends by silence while a test runs. */
    public static final SessionTerms PATIENT = new SessionTerms(3_600_000, 500);

    private static final SessionRecords NOT_WRITTEN_DOWN = new SessionRecords() {
        @Override
        public void add(SessionId session, int node) {}

        @Override
        public void remove(SessionId session) {}
    };

    private OwnedVolumes() {}

    public static OwnedVolume owned(
            VolumeOwner service, long epoch, SessionTerms terms, Map<SessionId, Integer> inherited, Fence fence) {
        return new OwnedVolume(1, epoch, service, terms, fence, NOT_WRITTEN_DOWN, inherited, 0, () -> {});
    }

    static OwnedVolume owned(VolumeOwner service, long epoch, SessionTerms terms, Map<SessionId, Integer> inherited) {
        return owned(service, epoch, terms, inherited, (victim, node) -> {});
    }

    static OwnedVolume owned(VolumeOwner service, SessionTerms terms) {
        return owned(service, 1, terms, Map.of());
    }
}
