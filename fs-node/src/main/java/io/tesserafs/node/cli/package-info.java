/** The command line {@code tessera}. */
@NullMarked
package io.tesserafs.node.cli;

import org.jspecify.annotations.NullMarked;
