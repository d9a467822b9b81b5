/** Examines a host for what a daemon needs there, and says what to do. Changes nothing, and needs no running daemon. */
@NullMarked
package io.tesserafs.node.doctor;

import org.jspecify.annotations.NullMarked;
