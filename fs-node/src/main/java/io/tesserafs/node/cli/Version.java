package io.tesserafs.node.cli;

import io.tesserafs.node.daemon.BuildInfo;
import picocli.CommandLine.IVersionProvider;

/** {@code --version}. */
final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
        return new String[] {"tessera " + BuildInfo.version() + " (Java " + Runtime.version() + ")"};
    }
}
