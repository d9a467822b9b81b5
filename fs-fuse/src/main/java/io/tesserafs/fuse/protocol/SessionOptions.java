package io.tesserafs.fuse.protocol;

/**
 * What we ask the kernel for at INIT. The kernel may grant less.
 *
 * @param maxWriteBytes largest WRITE and READ; a multiple of the page size, at most {@link #MAX_REQUEST_BYTES}
 * @param maxReadaheadBytes largest readahead to ask for; the kernel offers 128 KiB, the bdi raises it
 * @param maxBackground asynchronous requests (readahead, writeback, async direct I/O) that may be pending at once
 * @param congestionThreshold pending asynchronous requests from which the kernel holds back optional work
 * @param locks take over file locks if the filesystem handles them
 * @param requestMemory of what is read from the kernel
 * @param newestMinor minor version of the protocol that is spoken at most, {@link #MINOR_MIN} to {@link #MINOR_MAX}; less makes a newer kernel
 *     be treated like an older one
 */
public record SessionOptions(
        int maxWriteBytes,
        int maxReadaheadBytes,
        int maxBackground,
        int congestionThreshold,
        boolean locks,
        RequestMemory requestMemory,
        int newestMinor) {
    /** Linux 5.4: the oldest protocol that has all we rely on (MAX_PAGES, COPY_FILE_RANGE, EXPLICIT_INVAL_DATA). */
    public static final int MINOR_MIN = 31;
    /** The newest protocol whose structures we know. */
    public static final int MINOR_MAX = 45;

    /** 256 pages: what fs.fuse.max_pages_limit allows by default. */
    public static final int MAX_REQUEST_BYTES = 1 << 20;

    /**
     * 1024 in the background: more than there are threads on one host whose READs wait for another host at a time. At the limit no READ into the page cache
     * and no WRITE from it comes any more, not even those that the other host waits for. From 48 on the kernel reads ahead no more.
     */
    public static final SessionOptions DEFAULT =
            new SessionOptions(MAX_REQUEST_BYTES, MAX_REQUEST_BYTES, 1024, 48, true, RequestMemory.ANY, MINOR_MAX);

    public SessionOptions {
        if (maxWriteBytes < 4096 || maxWriteBytes > MAX_REQUEST_BYTES || maxWriteBytes % 4096 != 0) {
            throw new IllegalArgumentException("maxWriteBytes " + maxWriteBytes + " is not 1.."
                    + MAX_REQUEST_BYTES / 4096 + " pages of 4096 bytes");
        }
        if (maxReadaheadBytes < 0) {
            throw new IllegalArgumentException("maxReadaheadBytes " + maxReadaheadBytes + " is negative");
        }
        if (maxBackground < 1
                || maxBackground > 0xffff
                || congestionThreshold < 1
                || congestionThreshold > maxBackground) {
            throw new IllegalArgumentException("maxBackground " + maxBackground + ", congestionThreshold "
                    + congestionThreshold + ": need 1 <= threshold <= background <= 65535");
        }
        if (newestMinor < MINOR_MIN || newestMinor > MINOR_MAX) {
            throw new IllegalArgumentException(
                    "newestMinor " + newestMinor + " is not " + MINOR_MIN + ".." + MINOR_MAX);
        }
    }

    public SessionOptions withRequestMemory(RequestMemory value) {
        return new SessionOptions(
                maxWriteBytes, maxReadaheadBytes, maxBackground, congestionThreshold, locks, value, newestMinor);
    }

    public SessionOptions withNewestMinor(int value) {
        return new SessionOptions(
                maxWriteBytes, maxReadaheadBytes, maxBackground, congestionThreshold, locks, requestMemory, value);
    }
}
