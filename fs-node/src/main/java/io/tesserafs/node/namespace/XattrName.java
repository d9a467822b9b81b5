package io.tesserafs.node.namespace;

import java.util.Arrays;

/** Name of an extended attribute as a map key; bytes, since names need not be text. */
record XattrName(byte[] bytes) {
    @Override
    public boolean equals(Object other) {
        return other instanceof XattrName name && Arrays.equals(bytes, name.bytes);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(bytes);
    }
}
