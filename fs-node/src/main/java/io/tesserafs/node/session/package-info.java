/** Sessions between nodes and the owners of volumes: calls, tokens and leases over the fabric, and how a node finds its owner again. */
@NullMarked
package io.tesserafs.node.session;

import org.jspecify.annotations.NullMarked;
