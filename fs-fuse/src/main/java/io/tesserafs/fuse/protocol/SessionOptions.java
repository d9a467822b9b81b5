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
 */
public record SessionOptions(
        int maxWriteBytes,
        int maxReadaheadBytes,
        int maxBackground,
        int congestionThreshold,
        boolean locks,
        RequestMemory requestMemory) {
    /** 256 pages: what fs.fuse.max_pages_limit allows by default. */
    public static final int MAX_REQUEST_BYTES = 1 << 20;

    /**
     * 64 in the background: with 1 MiB requests that is more than any number of cores here can copy at once, and it keeps what one
     * application queues from starving the others.
     */
    public static final SessionOptions DEFAULT =
            new SessionOptions(MAX_REQUEST_BYTES, MAX_REQUEST_BYTES, 64, 48, true, RequestMemory.ANY);

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
    }

    public SessionOptions withRequestMemory(RequestMemory value) {
        return new SessionOptions(maxWriteBytes, maxReadaheadBytes, maxBackground, congestionThreshold, locks, value);
    }
}
