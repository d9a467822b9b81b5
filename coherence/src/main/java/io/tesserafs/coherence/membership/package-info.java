/** Membership: the ensemble (embedded or external), nodes and bricks, sessions and leases. */
@NullMarked
package io.tesserafs.coherence.membership;

import org.jspecify.annotations.NullMarked;
