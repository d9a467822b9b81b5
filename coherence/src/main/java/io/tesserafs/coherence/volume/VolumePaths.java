package io.tesserafs.coherence.volume;

import io.tesserafs.coherence.membership.Znodes;

/** Paths of one volume's entries. */
record VolumePaths(int number) {
    String record() {
        return Znodes.VOLUMES + "/" + number;
    }

    String epoch() {
        return record() + "/epoch";
    }

    String manifest() {
        return record() + "/manifest";
    }

    String sessions() {
        return record() + "/sessions";
    }

    String election() {
        return record() + "/election";
    }
}
