package io.tesserafs.node.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Optional;

/** Repairs what a daemon that died leaves behind. */
final class Doctor {
    private Doctor() {}

    /** Call only when no daemon serves {@code point}. A dead mount of ours (accesses say ENOTCONN) is detached; anything else is refused. */
    static void healMount(Path point, PrintWriter err) throws IOException, InterruptedException, CliException {
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
