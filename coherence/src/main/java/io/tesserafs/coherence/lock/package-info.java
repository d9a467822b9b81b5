/** File locks of applications: fcntl (POSIX and open file description) and flock. The owner's table, and how nodes reach it. */
@NullMarked
package io.tesserafs.coherence.lock;

import org.jspecify.annotations.NullMarked;
