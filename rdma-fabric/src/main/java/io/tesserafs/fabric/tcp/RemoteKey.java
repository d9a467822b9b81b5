package io.tesserafs.fabric.tcp;

/** How a device reaches a block of another host: what the target's device was told, for one queue pair. */
public record RemoteKey(long address, int key) {}
