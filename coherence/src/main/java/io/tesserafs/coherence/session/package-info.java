/** Sessions: a node's lease with an owner, by the clock of either side. */
@NullMarked
package io.tesserafs.coherence.session;

import org.jspecify.annotations.NullMarked;
