/** Mounting and unmounting; {@link io.tesserafs.fuse.mount.FuseMount} is the way in to this module. */
@NullMarked
package io.tesserafs.fuse.mount;

import org.jspecify.annotations.NullMarked;
