package io.tesserafs.node.doctor;

import io.tesserafs.node.config.NodeConfig.VerbsConfig.Binding;
import io.tesserafs.node.host.Host;
import java.io.File;
import java.util.Arrays;
import java.util.List;

/** Of a node that is to use DiSNI's own library: whether that is here, and what it does without. */
final class RdmaBindingCheck implements Check {
    private static final String LIBRARY = "libdisni.so";

    private final Host host;
    private final Binding binding;
    private final String libraryPath;

    /** @param libraryPath java.library.path: directories with colons between them */
    RdmaBindingCheck(Host host, Binding binding, String libraryPath) {
        this.host = host;
        this.binding = binding;
        this.libraryPath = libraryPath;
    }

    @Override
    public String part() {
        return "rdma";
    }

    @Override
    public void examine(Report report) {
        if (binding != Binding.DISNI) {
            return;
        }
        List<String> found = Arrays.stream(libraryPath.split(File.pathSeparator, -1))
                .filter(directory -> directory.startsWith("/"))
                .map(directory -> directory + "/" + LIBRARY)
                .filter(host::has)
                .toList();
        if (found.isEmpty()) {
            report.fail(
                    "binding",
                    "fabric.verbs.binding is disni, and there is no " + LIBRARY + " on java.library.path ("
                            + libraryPath + "): the node uses TCP",
                    "put the library into one of these directories or give the daemon another path "
                            + "(JAVA_TOOL_OPTIONS=-Djava.library.path=...), or choose rdma-core");
        } else {
            report.ok("binding", "fabric.verbs.binding is disni, whose library is " + found.getFirst());
        }
        report.info(
                "without",
                "with disni peers reach this node's pool by TCP, though it reaches theirs by RDMA; "
                        + "no memory windows, no on-demand paging, no FLUSH, no IPv6 addresses");
    }
}
