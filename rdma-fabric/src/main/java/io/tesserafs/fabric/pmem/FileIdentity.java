package io.tesserafs.fabric.pmem;

import java.util.UUID;

/** Names one open file among all files of one running kernel: two processes that see the same identity see the same bytes. */
public record FileIdentity(UUID boot, int deviceMajor, int deviceMinor, long inode) {}
