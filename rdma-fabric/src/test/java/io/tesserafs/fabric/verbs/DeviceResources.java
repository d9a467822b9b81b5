package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;

/**
 * What all processes have of the devices of this host, as the kernel counts it: queue pairs, completion queues, registrations and the rest by
 * number, protection domains with the number of those that use each. Memory windows are counted there only.
 */
final class DeviceResources {
    /** How often is looked until those have followed that follow. Each takes some tens of milliseconds at least: two processes. */
    private static final int LOOKS = 500;

    /** The thread that made it, which may have ended. */
    private static final Pattern CREATOR = Pattern.compile(" pid .*");

    private DeviceResources() {}

    static String now() throws IOException {
        return show() + CREATOR.matcher(show("pd")).replaceAll("");
    }

    private static String show(String... what) throws IOException {
        String[] command = new String[3 + what.length];
        System.arraycopy(new String[] {"rdma", "resource", "show"}, 0, command, 0, 3);
        System.arraycopy(what, 0, command, 3, what.length);
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
            return out.readAllAsString();
        }
    }

    /** Also of the peer's end, which may follow a little later. */
    static void awaitThose(String before) throws IOException {
        String after = now();
        for (int i = 0; i < LOOKS && !after.equals(before); i++) {
            after = now();
        }
        assertThat(after).as("what is left on the devices").isEqualTo(before);
    }
}
