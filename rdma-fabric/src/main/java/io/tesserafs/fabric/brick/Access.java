package io.tesserafs.fabric.brick;

/** What a handle allows. */
public enum Access {
    READ,
    READ_WRITE
}
