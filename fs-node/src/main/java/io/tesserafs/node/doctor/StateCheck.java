package io.tesserafs.node.doctor;

import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The daemon and its directory. */
final class StateCheck implements Check {
    private final Subject subject;

    StateCheck(Subject subject) {
        this.subject = subject;
    }

    @Override
    public String part() {
        return "daemon";
    }

    @Override
    public void examine(Report report) {
        if (subject.runs()) {
            report.ok("process", "runs as pid " + subject.pid().getAsLong());
        } else {
            report.info("process", "does not run");
        }
        Path state = subject.config().stateDir();
        @Nullable Path existing = existing(state);
        if (Files.exists(state) && !Files.isDirectory(state)) {
            report.fail("state", state + " is not a directory", "name another directory as 'state'");
        } else if (existing == null || !Files.isWritable(existing)) {
            report.fail(
                    "state",
                    existing + " may not be written by this user, " + System.getProperty("user.name"),
                    "chown it to the daemon's user, or run this as that user");
        } else {
            report.ok("state", state + (Files.exists(state) ? " can be written" : " can be made"));
        }
    }

    /** The path, or the nearest directory above it that is there. */
    static @Nullable Path existing(Path path) {
        @Nullable Path at = path;
        while (at != null && !Files.exists(at)) {
            at = at.getParent();
        }
        return at;
    }
}
