/** Starts real clusters on one machine, breaks them, and checks what applications see. */
@NullMarked
package io.tesserafs.cluster;

import org.jspecify.annotations.NullMarked;
