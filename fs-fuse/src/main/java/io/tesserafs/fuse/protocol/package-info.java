/**
 * The codec: wire layouts, negotiation, decoding of requests and encoding of answers. Knows nothing of file descriptors; it
 * reads from and answers to a {@link io.tesserafs.fuse.protocol.Channel}.
 */
@NullMarked
package io.tesserafs.fuse.protocol;

import org.jspecify.annotations.NullMarked;
