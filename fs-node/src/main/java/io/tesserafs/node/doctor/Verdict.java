package io.tesserafs.node.doctor;

/** How bad it is. */
public enum Verdict {
    OK,
    /** Worth knowing, neither good nor bad. */
    INFO,
    /** It works, but slower, or with less safety or fewer functions than it could. */
    WARN,
    /** The daemon cannot start or serve, or something the configuration asks for does not work. */
    FAIL
}
