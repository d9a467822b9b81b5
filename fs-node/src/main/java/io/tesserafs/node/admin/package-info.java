/** The daemon's administration socket: protocol, server and client. */
@NullMarked
package io.tesserafs.node.admin;

import org.jspecify.annotations.NullMarked;
