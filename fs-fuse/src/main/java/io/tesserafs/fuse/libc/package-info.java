/** The few calls into the C library that this module needs, and the exception they fail with. */
@NullMarked
package io.tesserafs.fuse.libc;

import org.jspecify.annotations.NullMarked;
