package io.tesserafs.node.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;

/** A {@link DaemonCommand} that prints a table. */
abstract class ListCommand extends DaemonCommand {
    /** Where there is nothing to tell. */
    static final String NONE = "-";

    abstract List<String> heading();

    abstract List<String> row(JsonNode item);

    /** What of the answer has a row each. */
    JsonNode items(JsonNode answer) {
        return answer;
    }

    @Override
    void print(JsonNode answer) {
        List<List<String>> rows = new ArrayList<>();
        rows.add(heading());
        items(answer).forEach(item -> rows.add(row(item)));
        output.table(rows);
    }

    static String orNone(JsonNode value) {
        return value.asText(NONE);
    }
}
