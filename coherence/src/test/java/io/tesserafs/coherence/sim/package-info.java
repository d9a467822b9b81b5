/** The token and session protocol of a volume in one thread: simulated time, network, faults; real state machines. */
@NullMarked
package io.tesserafs.coherence.sim;

import org.jspecify.annotations.NullMarked;
