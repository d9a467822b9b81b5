/**
 * The namespace of a volume, run by its owner: inodes, directories, extent maps and free space in memory, made durable by a log
 * and checkpoints in blocks.
 */
@NullMarked
package io.tesserafs.node.namespace;

import org.jspecify.annotations.NullMarked;
