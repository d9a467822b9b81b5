/** The node's configuration file. */
@NullMarked
package io.tesserafs.node.config;

import org.jspecify.annotations.NullMarked;
