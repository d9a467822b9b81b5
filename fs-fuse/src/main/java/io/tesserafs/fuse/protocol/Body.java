package io.tesserafs.fuse.protocol;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import io.tesserafs.fuse.Errno;
import java.lang.foreign.MemorySegment;

/**
 * The body of the request being decoded: checked access to its fields and names. One per reader thread, reused. The
 * dispatcher has checked the body's length against the opcode's minimum, so fixed fields need no check of their own.
 */
final class Body {
    /** NAME_MAX; the kernel itself lets longer ones through. */
    private static final int NAME_MAX = 255;
    /** PATH_MAX less the NUL: the longest symbolic link. */
    private static final int TARGET_MAX = 4095;

    private MemorySegment memory = MemorySegment.NULL;
    private int end;
    private int cursor;

    void reset(MemorySegment request, int length) {
        memory = request;
        end = length;
        cursor = HeaderLayout.IN_LENGTH;
    }

    int bytes() {
        return end - HeaderLayout.IN_LENGTH;
    }

    int u32(int field) {
        return Wire.getU32(memory, HeaderLayout.IN_LENGTH + field);
    }

    long u64(int field) {
        return Wire.getU64(memory, HeaderLayout.IN_LENGTH + field);
    }

    /** A file offset or length. */
    long offset(int field) {
        long value = u64(field);
        if (value < 0) {
            throw new MalformedRequestException(Errno.EINVAL, "negative offset or length " + value);
        }
        return value;
    }

    /** A node id that is not the header's. */
    long node(int field) {
        long value = u64(field);
        if (value == 0) {
            throw new MalformedRequestException(Errno.EINVAL, "node id 0");
        }
        return value;
    }

    /** A count of bytes between 0 and {@code max}. */
    int size(int field, int max) {
        int value = u32(field);
        if (value < 0 || value > max) {
            throw new MalformedRequestException(
                    Errno.EINVAL, "size " + Integer.toUnsignedString(value) + " exceeds " + max);
        }
        return value;
    }

    /** Names start after {@code length} bytes of fixed fields. */
    Body skip(int length) {
        cursor = HeaderLayout.IN_LENGTH + length;
        return this;
    }

    /** The next name of a directory entry: 1 to 255 bytes, no '/'. */
    byte[] name() {
        byte[] name = string(NAME_MAX);
        for (byte b : name) {
            if (b == '/') {
                throw new MalformedRequestException(Errno.EINVAL, "name with a slash");
            }
        }
        return name;
    }

    /** The next name of an extended attribute. */
    byte[] xattrName() {
        return string(NAME_MAX);
    }

    /** The next string as target of a symbolic link. */
    byte[] linkTarget() {
        return string(TARGET_MAX);
    }

    /** All that follows, which must be exactly {@code length} bytes or more. */
    byte[] value(int length) {
        checkRemaining(length);
        return Wire.getBytes(memory, cursor, length);
    }

    /** Where data starts after {@code fixed} bytes of fields; {@code length} bytes of it must be there. */
    int dataAt(int fixed, int length) {
        skip(fixed);
        checkRemaining(length);
        return cursor;
    }

    private void checkRemaining(int length) {
        if (length > end - cursor) {
            throw new MalformedRequestException(
                    Errno.EIO, length + " bytes announced, " + (end - cursor) + " received");
        }
    }

    private byte[] string(int max) {
        int length = 0;
        while (true) {
            if (cursor + length >= end) {
                throw new MalformedRequestException(Errno.EIO, "string without an end");
            }
            if (memory.get(JAVA_BYTE, cursor + length) == 0) {
                break;
            }
            length++;
        }
        if (length == 0) {
            throw new MalformedRequestException(Errno.EINVAL, "empty name");
        }
        if (length > max) {
            throw new MalformedRequestException(Errno.ENAMETOOLONG, "name of " + length + " bytes");
        }
        byte[] bytes = Wire.getBytes(memory, cursor, length);
        cursor += length + 1;
        return bytes;
    }
}
