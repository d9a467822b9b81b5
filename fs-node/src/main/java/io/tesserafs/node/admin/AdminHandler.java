package io.tesserafs.node.admin;

import com.fasterxml.jackson.databind.node.ObjectNode;

/** Carries out one command. Called on a virtual thread of its own; may block. */
@FunctionalInterface
public interface AdminHandler {
    /** Any value that {@link Json#MAPPER} can write: a record, a map, a list, a tree. */
    Object handle(ObjectNode args) throws AdminException;
}
