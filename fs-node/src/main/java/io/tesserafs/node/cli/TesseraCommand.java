package io.tesserafs.node.cli;

import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The command {@code tessera} itself: only its subcommands do something. */
@Command(
        name = "tessera",
        versionProvider = Version.class,
        mixinStandardHelpOptions = true,
        synopsisSubcommandLabel = "COMMAND",
        description = {
            "TesseraFS: a POSIX file system in persistent memory that hosts share.",
            "",
            "  tessera up          start a local cluster and mount it",
            "  tessera down        unmount and stop it; data stays",
            ""
        },
        footer = {
            "",
            "Without --state DIR, commands use ./.tessera (or $TESSERA_STATE).",
            "Exit status: 0 done, 1 failed, 2 wrong usage, 3 'status': something does not run.",
            "'tessera COMMAND --help' explains a command."
        },
        subcommands = {
            UpCommand.class,
            DownCommand.class,
            StatusCommand.class,
            MountCommand.class,
            UmountCommand.class,
            VolumeCommand.class,
            BrickCommand.class,
            TokenCommand.class,
            SessionCommand.class,
            StatCommand.class,
            RelocateCommand.class,
            FsckCommand.class,
            LogCommand.class,
            NodeCommand.class,
            DoctorCommand.class,
            TesseraCommand.Completion.class
        })
final class TesseraCommand implements Runnable {
    @Option(names = "--debug", scope = ScopeType.INHERIT, description = "Print stack traces of failures.")
    boolean debug;

    @Spec
    CommandSpec spec = CommandSpec.create();

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing");
    }

    /** picocli's generator under a shorter name. */
    @Command(
            name = "completion",
            description = "Print a completion script for bash and zsh.",
            footer = {"", "Example:  source <(tessera completion)"},
            mixinStandardHelpOptions = true)
    static final class Completion implements Runnable {
        @Spec
        CommandSpec spec = CommandSpec.create();

        @Override
        public void run() {
            CommandLine root = spec.root().commandLine();
            root.getOut().print(AutoComplete.bash(root.getCommandName(), root));
            root.getOut().flush();
        }
    }
}
