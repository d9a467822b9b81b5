package io.tesserafs.node.config;

/** A configuration file is not usable; the message names the file, the line where it is known, and the key. */
public final class ConfigException extends Exception {
    private static final long serialVersionUID = 1L;

    public ConfigException(String message) {
        super(message);
    }
}
