/** What the kernel shows of this host, read without touching what it describes. */
@NullMarked
package io.tesserafs.node.host;

import org.jspecify.annotations.NullMarked;
