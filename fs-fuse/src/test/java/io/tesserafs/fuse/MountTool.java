package io.tesserafs.fuse;

import io.tesserafs.fuse.mount.FuseMount;
import io.tesserafs.fuse.mount.MountOptions;
import java.nio.file.Path;

/** Mounts a {@link MemoryFileSystem} until it is unmounted; for child processes of tests and for a look by hand. */
public final class MountTool {
    private MountTool() {}

    /** Argument: the mount point. Prints "mounted" when it is usable. */
    public static void main(String[] args) throws Exception {
        try (FuseMount mount =
                FuseMount.mount(Path.of(args[0]), new MemoryFileSystem(), MountOptions.defaults("memory"))) {
            System.out.println("mounted");
            mount.join();
        }
    }
}
