/** The node's side of a volume: open files, extent I/O under tokens, and the commits that make it durable. */
@NullMarked
package io.tesserafs.node.data;

import org.jspecify.annotations.NullMarked;
