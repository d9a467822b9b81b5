package io.tesserafs.node.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.tesserafs.node.admin.Json;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;

/** Standard output of a command, as text or JSON. */
final class Output {
    @Spec(Target.MIXEE)
    CommandSpec command = CommandSpec.create();

    @Option(names = "--json", description = "Print JSON instead of text.")
    boolean json;

    PrintWriter out() {
        return command.commandLine().getOut();
    }

    void json(Object value) throws JsonProcessingException {
        out().println(Json.MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(value));
    }

    /** Rows in columns; the first row is the heading. Cells that look like numbers are set to the right. */
    void table(List<List<String>> rows) {
        List<Integer> widths = new ArrayList<>();
        for (List<String> row : rows) {
            for (int column = 0; column < row.size(); column++) {
                int width = row.get(column).length();
                if (column == widths.size()) {
                    widths.add(width);
                } else if (widths.get(column) < width) {
                    widths.set(column, width);
                }
            }
        }
        boolean heading = true;
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int column = 0; column < row.size(); column++) {
                String cell = row.get(column);
                String pad = " ".repeat(widths.get(column) - cell.length());
                boolean number = !cell.isEmpty() && Character.isDigit(cell.charAt(0)) && !heading;
                line.append(number ? pad + cell : cell + pad).append("  ");
            }
            out().println(line.toString().stripTrailing());
            heading = false;
        }
    }
}
