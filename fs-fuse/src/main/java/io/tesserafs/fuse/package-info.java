/** The FUSE kernel protocol spoken on /dev/fuse, mounts, and the {@link io.tesserafs.fuse.FileSystem} they call. */
@NullMarked
package io.tesserafs.fuse;

import org.jspecify.annotations.NullMarked;
