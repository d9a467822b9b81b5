/**
 * The provider that is always there: peers over TCP. A connection carries calls and notifications; bytes of blocks travel on lanes,
 * further sockets of the same two peers, of which each carries one operation at a time.
 */
@NullMarked
package io.tesserafs.fabric.tcp;

import org.jspecify.annotations.NullMarked;
