/**
 * The verbs API of DiSNI over libibverbs and librdmacm as distributions ship them, by {@code java.lang.foreign}, and beside it what that
 * API lacks. {@link io.tesserafs.fabric.verbs.rdmacore.RdmaCore} is the way in.
 */
@NullMarked
package io.tesserafs.fabric.verbs.rdmacore;

import org.jspecify.annotations.NullMarked;
