/**
 * The fabric: how a node reaches bricks, its own and those of other hosts. Providers differ in how bytes travel (in process,
 * over a socket, by RDMA); all of them give the same {@link io.tesserafs.fabric.brick.BrickClient} and pass the same tests.
 */
@NullMarked
package io.tesserafs.fabric;

import org.jspecify.annotations.NullMarked;
