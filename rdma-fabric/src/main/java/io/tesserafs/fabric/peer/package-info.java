/** How daemons talk to each other: connections, calls and notifications. Providers differ in how bytes travel. */
@NullMarked
package io.tesserafs.fabric.peer;

import org.jspecify.annotations.NullMarked;
