package io.tesserafs.node.namespace;

import java.util.List;

/**
 * What a check of a volume found. {@code problems} is empty for a sound volume; {@code notes} are things that recovery will do.
 *
 * @param blocks allocated on the brick for this volume
 */
public record CheckReport(
        String volume,
        long inodes,
        long directories,
        long extents,
        long blocks,
        List<String> problems,
        List<String> notes) {
    public CheckReport {
        problems = List.copyOf(problems);
        notes = List.copyOf(notes);
    }

    /** One line for people. */
    public String summary() {
        return inodes + " inodes, " + directories + " directories, " + extents + " extents, " + blocks + " blocks";
    }
}
