package io.tesserafs.coherence.sim;

import io.tesserafs.coherence.token.SteppedTokens;
import java.util.EnumSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A rule of the protocol that a run breaks on purpose. */
enum Flaw {
    NONE(null),
    RELEASES_BEFORE_INVALIDATION_ENDED(SteppedTokens.Flaw.RELEASES_BEFORE_INVALIDATION_ENDED),
    SKIPS_THE_DRAIN(SteppedTokens.Flaw.SKIPS_THE_DRAIN),
    WAITS_FOR_PAGES_OF_WAITING_REQUESTS(SteppedTokens.Flaw.WAITS_FOR_PAGES_OF_WAITING_REQUESTS),
    TAKES_MESSAGES_OF_OLD_LINKS(SteppedTokens.Flaw.TAKES_MESSAGES_OF_OLD_LINKS),
    RELEASES_WITH_AN_OLD_SEEN(SteppedTokens.Flaw.RELEASES_WITH_AN_OLD_SEEN),
    RELEASES_WITH_A_SEEN_TO_COME(SteppedTokens.Flaw.RELEASES_WITH_A_SEEN_TO_COME),
    TRUSTS_OLD_ANSWERS(SteppedTokens.Flaw.TRUSTS_OLD_ANSWERS),
    IGNORES_OFFERS(SteppedTokens.Flaw.IGNORES_OFFERS),
    /** What the owner says along with an offer is from before it. */
    READS_BEFORE_IT_OFFERS(null),
    /** A release from between two links says what was seen on the first. */
    SENDS_RELEASES_AS_THEY_WERE(null),
    /** The dead session's tokens are given on, and it can still write. */
    DOES_NOT_FENCE(null),
    /** The node believes in its lease for the whole term. */
    IGNORES_THE_LEASE_MARGIN(null),
    /** Somebody wants a session gone: its tokens are given on while its node still believes in them. */
    EVICTS_WITHOUT_WAITING(null),
    /** A new owner grants before the sessions of the last one are back or over. */
    GRANTS_DURING_GRACE(null),
    /** An owner goes on after its time at the coordinator is over. */
    DEPOSED_OWNER_GOES_ON(null),
    /** A node's word that its last session is over counts though it may be an old one. */
    TRUSTS_LATE_OPENS(null),
    /** What a node said it held when it tried to attach counts even after it has tried again. */
    CARRIES_OUT_OLD_OPENS(null),
    /** A session that was evicted comes back under the same id. */
    REVIVES_EVICTED_SESSIONS(null);

    private final SteppedTokens.@Nullable Flaw ofTokens;

    Flaw(SteppedTokens.@Nullable Flaw ofTokens) {
        this.ofTokens = ofTokens;
    }

    Set<SteppedTokens.Flaw> ofTokens() {
        return ofTokens == null ? EnumSet.noneOf(SteppedTokens.Flaw.class) : EnumSet.of(ofTokens);
    }
}
