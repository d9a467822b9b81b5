package io.tesserafs.node.cli;

import io.tesserafs.node.host.MountTable;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Optional;

/** The mount that a daemon which died leaves behind. */
final class DeadMount {
    private DeadMount() {}

    /** Call only when no daemon serves {@code point}. A dead mount of ours (accesses say ENOTCONN) is detached; anything else is refused. */
    static void heal(Path point, PrintWriter err) throws IOException, InterruptedException, CliException {
        Optional<MountTable.Mount> mount = MountTable.read().at(point);
        if (mount.isEmpty()) {
            return;
        }
        if (!mount.get().isTessera()) {
            throw new CliException("something else is mounted at " + point + " ("
                    + mount.get().type() + " from " + mount.get().source() + "); unmount it first");
        }
        err.println("tessera: the daemon behind " + point + " died; detaching its mount");
        Unmounter.abort(mount.get());
        Unmounter.detach(point);
    }
}
