/**
 * Bricks by RDMA. The six calls and all agreement stay on the peers' connection, which is authenticated; what travels by queue pairs
 * is only the bytes of blocks, by READ and WRITE without the target's processor. {@link io.tesserafs.fabric.verbs.VerbsBricks} is the way in.
 */
@NullMarked
package io.tesserafs.fabric.verbs;

import org.jspecify.annotations.NullMarked;
