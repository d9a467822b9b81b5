/** What processes on different nodes recorded of their reads, writes and appends, and the checkers that judge it. */
@NullMarked
package io.tesserafs.cluster.history;

import org.jspecify.annotations.NullMarked;
