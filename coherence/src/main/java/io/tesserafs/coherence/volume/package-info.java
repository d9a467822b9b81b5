/** Volumes: their registry, their elected owner and its epoch, the manifest of their log. */
@NullMarked
package io.tesserafs.coherence.volume;

import org.jspecify.annotations.NullMarked;
