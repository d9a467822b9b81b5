package io.tesserafs.node.namespace;

/**
 * What is remembered of the answer to a request that took effect.
 *
 * @param ino the inode that the answer is about; 0 if about none
 * @param nlink its links, where a name was taken from it
 */
public record Applied(long ino, int nlink) {}
