package io.tesserafs.node.doctor;

/** The virtual machine that runs this; {@code ./tessera} gives the daemon the same. */
final class JavaCheck implements Check {
    static final int OLDEST = 25;

    private final Runtime.Version version;
    private final String architecture;

    JavaCheck() {
        this(Runtime.version(), System.getProperty("os.arch", "unknown"));
    }

    JavaCheck(Runtime.Version version, String architecture) {
        this.version = version;
        this.architecture = architecture;
    }

    @Override
    public String part() {
        return "java";
    }

    @Override
    public void examine(Report report) {
        if (version.feature() < OLDEST) {
            report.fail("version", "Java " + version, "install a JDK " + OLDEST + " or newer and set JAVA_HOME");
        } else {
            report.ok("version", "Java " + version);
        }
        switch (architecture) {
            case "amd64" -> report.ok("architecture", "x86-64");
            case "aarch64" ->
                report.warn("architecture", "aarch64, on which this is not tested", "try it with data you can lose");
            default ->
                report.fail(
                        "architecture",
                        architecture + ", whose system calls are not known",
                        "use x86-64 (or aarch64, untested)");
        }
    }
}
