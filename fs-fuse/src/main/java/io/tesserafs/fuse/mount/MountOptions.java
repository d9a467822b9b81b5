package io.tesserafs.fuse.mount;

import io.tesserafs.fuse.protocol.SessionOptions;

/**
 * How to mount.
 *
 * @param source what mount(8) and df show as device, for example the volume's name
 * @param subtype the type shown is {@code fuse.<subtype>}
 * @param access who may use the mount
 * @param allowSuidAndDevices honour suid bits and device files in the mount; only root may ask for it
 * @param readOnly mount read-only
 * @param readers threads that read requests, each with its own descriptor
 * @param readAheadKiB readahead of the mount, set through /sys/class/bdi as root; the kernel's own default is 128. More speeds up
 *     sequential reads (measured: up to 512) and slows down random page faults, which read around themselves by it
 * @param session what to negotiate at INIT
 */
public record MountOptions(
        String source,
        String subtype,
        Access access,
        boolean allowSuidAndDevices,
        boolean readOnly,
        int readers,
        int readAheadKiB,
        SessionOptions session) {

    /** Who may use a mount. */
    public enum Access {
        /** The user who mounted it; not even root. */
        OWNER,
        /** Everybody, by file permissions. An ordinary user needs user_allow_other in /etc/fuse.conf for it. */
        EVERYBODY
    }

    /** Three, because a reader may be copying 1 MiB while others must go on, and one must always be free for recalls. */
    public static final int READERS_MIN = 3;

    /** More than this many queue for the same lock in the kernel; each also keeps 1 MiB of RAM. */
    private static final int READERS_DEFAULT_MAX = 17;

    private static final int READ_AHEAD_KIB = 512;

    public MountOptions {
        if (readers < 1) {
            throw new IllegalArgumentException("readers " + readers);
        }
        if (readAheadKiB < 0) {
            throw new IllegalArgumentException("readAheadKiB " + readAheadKiB);
        }
        if (!subtype.matches("[A-Za-z0-9_-]+")) {
            throw new IllegalArgumentException("subtype '" + subtype + "'");
        }
        if (!source.matches("[^,\\\\\\s]+")) {
            throw new IllegalArgumentException(
                    "source '" + source + "' must not have commas, backslashes or white space");
        }
    }

    /** For this process: everybody may use it if root mounts it. */
    public static MountOptions defaults(String source) {
        int readers = Math.clamp(Runtime.getRuntime().availableProcessors() + 1, READERS_MIN, READERS_DEFAULT_MAX);
        Access access = MountNative.isRoot() ? Access.EVERYBODY : Access.OWNER;
        return new MountOptions(
                source, "tesserafs", access, false, false, readers, READ_AHEAD_KIB, SessionOptions.DEFAULT);
    }

    public MountOptions withAccess(Access value) {
        return new MountOptions(source, subtype, value, allowSuidAndDevices, readOnly, readers, readAheadKiB, session);
    }

    public MountOptions withSuidAndDevices(boolean value) {
        return new MountOptions(source, subtype, access, value, readOnly, readers, readAheadKiB, session);
    }

    public MountOptions withReadOnly(boolean value) {
        return new MountOptions(source, subtype, access, allowSuidAndDevices, value, readers, readAheadKiB, session);
    }

    public MountOptions withReaders(int value) {
        return new MountOptions(source, subtype, access, allowSuidAndDevices, readOnly, value, readAheadKiB, session);
    }

    public MountOptions withReadAheadKiB(int value) {
        return new MountOptions(source, subtype, access, allowSuidAndDevices, readOnly, readers, value, session);
    }

    public MountOptions withSession(SessionOptions value) {
        return new MountOptions(source, subtype, access, allowSuidAndDevices, readOnly, readers, readAheadKiB, value);
    }
}
