package io.tesserafs.node.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.tesserafs.node.admin.AdminException;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Mixin;

/** A command that asks a daemon one thing and prints the answer: as it is with {@code --json}, else for people. */
abstract class DaemonCommand implements Callable<Integer> {
    @Mixin
    NodeOptions target = new NodeOptions();

    @Mixin
    Output output = new Output();

    abstract JsonNode ask() throws IOException, CliException, AdminException;

    abstract void print(JsonNode answer);

    @Override
    public Integer call() throws IOException, CliException, AdminException {
        JsonNode answer = ask();
        if (output.json) {
            output.json(answer);
        } else {
            print(answer);
        }
        return 0;
    }
}
