package io.tesserafs.node.namespace;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.StringJoiner;

/** Log records as text, for people who look inside. */
public final class LogText {
    /** One record. */
    public record Line(long lsn, long epoch, String text) {}

    private LogText() {}

    static List<Line> read(Recovery recovery, Manifest manifest, long fromLsn, int max) throws RecoveryException {
        List<Line> lines = new ArrayList<>();
        recovery.replay(manifest, true, (lsn, epoch, payload) -> {
            if (lsn >= fromLsn && lines.size() < max) {
                lines.add(new Line(lsn, epoch, describe(payload)));
            }
        });
        return lines;
    }

    static String describe(ByteBuffer in) {
        StringJoiner text = new StringJoiner("; ");
        while (in.hasRemaining()) {
            text.add(one(in));
        }
        return text.toString();
    }

    private static String one(ByteBuffer in) {
        int op = in.get();
        return switch (op) {
            case Mutations.PUT_INODE ->
                "inode " + in.getLong() + " mode " + Integer.toOctalString(in.getInt())
                        + " links " + in.getInt() + " owner " + in.getInt() + ":" + in.getInt() + " rdev " + in.getInt()
                        + " size " + in.getLong() + " times " + in.getLong() + " " + in.getLong() + " " + in.getLong()
                        + " "
                        + in.getLong();
            case Mutations.SET_ATTR -> attributes(in);
            case Mutations.DEL_INODE -> "delete inode " + in.getLong();
            case Mutations.PUT_ENTRY -> {
                String where = "entry in " + in.getLong() + " cookie " + in.getLong() + " inode " + in.getLong();
                yield where + " '" + name(in) + "'";
            }
            case Mutations.DEL_ENTRY -> "delete entry in " + in.getLong() + " '" + name(in) + "'";
            case Mutations.PUT_EXTENT -> extent(in);
            case Mutations.DEL_EXTENTS ->
                "delete extents of " + in.getLong() + " tiles " + in.getLong() + ".." + in.getLong();
            case Mutations.PUT_SYMLINK -> "symlink " + in.getLong() + " -> '" + name(in) + "'";
            case Mutations.PUT_XATTR -> {
                String what = "xattr of " + in.getLong() + " '" + name(in) + "'";
                int length = in.getInt();
                in.position(in.position() + length);
                yield what + " " + length + " bytes";
            }
            case Mutations.DEL_XATTR -> "delete xattr of " + in.getLong() + " '" + name(in) + "'";
            case Mutations.NEXT_INO -> "next inode " + in.getLong();
            case Mutations.NEXT_BLOCK -> "next block " + in.getLong();
            case Mutations.SET_PARENT ->
                "parent of " + in.getLong() + " is " + in.getLong() + " next cookie " + in.getLong();
            case Mutations.REQUEST ->
                "request of session " + Long.toHexString(in.getLong()) + " number " + in.getLong() + " answered below "
                        + in.getLong() + " inode " + in.getLong() + " links " + in.getInt();
            case Mutations.END_SESSION -> "end of session " + Long.toHexString(in.getLong());
            default -> throw new Tables.BadMutationException("unknown mutation " + op);
        };
    }

    private static String attributes(ByteBuffer in) {
        StringBuilder text = new StringBuilder("set inode ").append(in.getLong());
        int mask = in.getInt();
        String[] fields = {"mode", "links", "uid", "gid", "size", "atime", "mtime", "ctime"};
        for (int bit = 0; bit < fields.length; bit++) {
            if ((mask & 1 << bit) != 0) {
                boolean wide = 1 << bit >= Mutations.SIZE;
                text.append(' ').append(fields[bit]).append(' ');
                if (bit == 0) {
                    text.append(Integer.toOctalString(in.getInt()));
                } else {
                    text.append(wide ? in.getLong() : in.getInt());
                }
            }
        }
        return text.toString();
    }

    private static String extent(ByteBuffer in) {
        String text = "extent of " + in.getLong() + " tile " + in.getLong();
        long block = in.getLong();
        long packed = in.getLong();
        ExtentRef ref = ExtentMap.ref(block, packed);
        return text + " at " + ref.brick() + " " + ref.block() + "+" + ref.offset() + "/" + ref.bytes() + " valid "
                + ExtentMap.validBytes(packed) + " durable " + in.getInt();
    }

    private static String name(ByteBuffer in) {
        byte[] bytes = new byte[in.getShort() & 0xFFFF];
        in.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
