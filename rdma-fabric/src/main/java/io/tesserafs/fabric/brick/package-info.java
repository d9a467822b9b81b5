/** Bricks: passive targets that hand out 2 MiB blocks by logical id, and the client side of their six calls. */
@NullMarked
package io.tesserafs.fabric.brick;

import org.jspecify.annotations.NullMarked;
