package io.tesserafs.fuse.protocol;

import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.FileLock;
import java.lang.foreign.MemorySegment;

/**
 * struct fuse_lk_in (48 bytes) of GETLK, SETLK and SETLKW, and struct fuse_lk_out (24 bytes), which is only the lock.
 *
 * <pre>
 * lk_in:     0 fh | 8 owner (u64) | 16 lk | 40 lk_flags | 44 padding (u32)
 * file_lock: 0 start | 8 end, inclusive (u64) | 16 type | 20 pid (u32)
 * </pre>
 */
final class LockLayout {
    static final int IN_FH = 0;
    static final int IN_OWNER = 8;
    static final int IN_LOCK = 16;
    static final int IN_FLAGS = 40;
    static final int IN_LENGTH = 48;
    /** FUSE_LK_FLOCK. */
    static final int FLAG_FLOCK = 1;

    static final int START = 0;
    static final int END = 8;
    static final int TYPE = 16;
    static final int PID = 20;
    static final int OUT_LENGTH = 24;

    private LockLayout() {}

    static FileLock get(Body body) {
        long start = body.offset(IN_LOCK + START);
        long end = body.offset(IN_LOCK + END);
        int type = body.u32(IN_LOCK + TYPE);
        if (start > end || type < FileLock.READ || type > FileLock.UNLOCKED) {
            throw new MalformedRequestException(Errno.EINVAL, "lock of type " + type + " from " + start + " to " + end);
        }
        boolean flock = (body.u32(IN_FLAGS) & FLAG_FLOCK) != 0;
        return new FileLock(body.u64(IN_OWNER), type, start, end, body.u32(IN_LOCK + PID), flock);
    }

    static void putOut(MemorySegment memory, int at, FileLock lock) {
        Wire.putU64(memory, at + START, lock.firstByte());
        Wire.putU64(memory, at + END, lock.lastByte());
        Wire.putU32(memory, at + TYPE, lock.type());
        Wire.putU32(memory, at + PID, lock.pid());
    }
}
