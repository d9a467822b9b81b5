package io.tesserafs.node.cli;

import java.nio.file.Path;
import picocli.CommandLine.Option;

/** Which local cluster a command is about. */
final class StateOption {
    @Option(
            names = "--state",
            paramLabel = "DIR",
            defaultValue = "${env:TESSERA_STATE:-.tessera}",
            description = "State directory of the local cluster (default: ./.tessera, or $$TESSERA_STATE).")
    Path directory = Path.of(".tessera");
}
