/**
 * The provider for peers on the same host: their pool is mapped here too, so that reading and writing a block is a memory copy. Calls
 * still travel over a connection, and so does the word that a handle died; see {@link io.tesserafs.fabric.shm.SharedBlock} for what
 * that means for fencing.
 */
@NullMarked
package io.tesserafs.fabric.shm;

import org.jspecify.annotations.NullMarked;
