/** Counters of all parts under one registry, for status output and scraping. */
@NullMarked
package io.tesserafs.node.metrics;

import org.jspecify.annotations.NullMarked;
