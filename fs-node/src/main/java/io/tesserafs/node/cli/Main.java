package io.tesserafs.node.cli;

import io.tesserafs.node.admin.AdminException;
import io.tesserafs.node.config.ConfigException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/** Entry point of {@code tessera}. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 (status only) not everything runs. */
public final class Main {
    static final int FAILED = 1;
    static final int USAGE = 2;
    static final int NOT_RUNNING = 3;

    private Main() {}

    public static void main(String[] args) {
        System.exit(run(
                new PrintWriter(System.out, true, System.out.charset()),
                new PrintWriter(System.err, true, System.err.charset()),
                args));
    }

    static int run(PrintWriter out, PrintWriter err, String... args) {
        TesseraCommand root = new TesseraCommand();
        CommandLine line = new CommandLine(root).setOut(out).setErr(err).setUsageHelpAutoWidth(true);
        for (CommandLine sub : line.getSubcommands().values()) {
            sub.setUsageHelpAutoWidth(true);
        }
        line.setExecutionExceptionHandler((failure, command, parsed) -> {
            if (root.debug) {
                failure.printStackTrace(err);
            }
            err.println("tessera: " + describe(failure));
            return FAILED;
        });
        line.setParameterExceptionHandler((failure, arguments) -> usage(failure, err));
        int code = line.execute(args);
        out.flush();
        err.flush();
        return code;
    }

    private static int usage(ParameterException failure, PrintWriter err) {
        CommandLine command = failure.getCommandLine();
        err.println("tessera: " + lowerFirst(String.valueOf(failure.getMessage())));
        CommandLine.UnmatchedArgumentException.printSuggestions(failure, err);
        err.println("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
        return USAGE;
    }

    /** The message alone where it was written for users, else with the kind of exception, which then says the most. */
    static String describe(Throwable failure) {
        String message = failure.getMessage();
        if (message == null) {
            return failure.getClass().getSimpleName();
        }
        return switch (failure) {
            case CliException e -> message;
            case ConfigException e -> message;
            case AdminException e -> message;
            case NoSuchFileException e -> e.getFile() + ": no such file or directory";
            case AccessDeniedException e -> e.getFile() + ": permission denied";
            case FileSystemException e -> message;
            case IOException e -> lowerFirst(message);
            default -> failure.getClass().getSimpleName() + ": " + message;
        };
    }

    private static String lowerFirst(String text) {
        return text.length() > 1 && Character.isLowerCase(text.charAt(1))
                ? Character.toLowerCase(text.charAt(0)) + text.substring(1)
                : text;
    }
}
