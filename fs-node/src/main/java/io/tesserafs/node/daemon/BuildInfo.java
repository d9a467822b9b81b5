package io.tesserafs.node.daemon;

import org.jspecify.annotations.Nullable;

/** What this build is called. */
public final class BuildInfo {
    private BuildInfo() {}

    /** The version in the jar's manifest; "development" when classes are run from a directory. */
    public static String version() {
        @Nullable String version = BuildInfo.class.getPackage().getImplementationVersion();
        return version == null ? "development" : version;
    }
}
