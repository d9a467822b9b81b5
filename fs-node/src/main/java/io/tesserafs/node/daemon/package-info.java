/** The daemon of one node: what it starts, in which order, and how it stops; and how others find and identify it. */
@NullMarked
package io.tesserafs.node.daemon;

import org.jspecify.annotations.NullMarked;
