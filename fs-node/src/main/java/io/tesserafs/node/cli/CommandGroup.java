package io.tesserafs.node.cli;

import java.util.List;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** A command of which only the subcommands do something. */
abstract class CommandGroup implements Runnable {
    @Spec
    CommandSpec spec = CommandSpec.create();

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "say what to do: " + spec.name() + " " + subcommands(spec));
    }

    /** "create, list or delete". */
    static String subcommands(CommandSpec spec) {
        List<String> names = List.copyOf(spec.subcommands().keySet());
        int last = names.size() - 1;
        return last == 0 ? names.getFirst() : String.join(", ", names.subList(0, last)) + " or " + names.get(last);
    }
}
