/** How requests get here and answers get back: read and write on /dev/fuse. */
@NullMarked
package io.tesserafs.fuse.transport;

import org.jspecify.annotations.NullMarked;
