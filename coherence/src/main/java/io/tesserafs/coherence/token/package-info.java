/** Tokens: who may touch which range of which inode. The owner's table, the node's cache. */
@NullMarked
package io.tesserafs.coherence.token;

import org.jspecify.annotations.NullMarked;
