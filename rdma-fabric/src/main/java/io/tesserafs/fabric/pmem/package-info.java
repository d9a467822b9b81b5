/** Pools: one mapped file or device of persistent memory, its format and its persistence. */
@NullMarked
package io.tesserafs.fabric.pmem;

import org.jspecify.annotations.NullMarked;
