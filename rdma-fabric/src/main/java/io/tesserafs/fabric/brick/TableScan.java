package io.tesserafs.fabric.brick;

import io.tesserafs.fabric.brick.AllocationTable.Verdict;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/** The table read once, entry by entry, and checked against itself. Changes nothing. */
final class TableScan {
    /** Reports stay readable, and small, however much is damaged. */
    private static final int MAX_LINES = 1000;

    final BlockIndex index = new BlockIndex();
    final BitSet free;
    final BitSet toRepair = new BitSet();
    private final List<String> repairable = new ArrayList<>();
    private final List<String> corrupt = new ArrayList<>();

    TableScan(AllocationTable table) {
        free = new BitSet(table.entries());
        for (int i = 0; i < table.entries(); i++) {
            scan(table, i);
        }
    }

    private void scan(AllocationTable table, int i) {
        Verdict verdict = table.judge(i);
        switch (verdict) {
            case FREE -> free.set(i);
            case FREE_TO_REPAIR -> {
                free.set(i);
                toRepair.set(i);
                report(repairable, table, i, "is free with remains of an id");
            }
            case ALLOCATED -> addAllocated(table, i);
            case ALLOCATED_TO_REPAIR -> {
                toRepair.set(i);
                report(repairable, table, i, "has one good copy, of block " + new BlockId(table.id(i)));
                addAllocated(table, i);
            }
            case CORRUPT -> report(corrupt, table, i, "is damaged in both copies");
        }
    }

    private void addAllocated(AllocationTable table, int i) {
        long id = table.id(i);
        if (!index.putIfAbsent(id, i)) {
            report(corrupt, table, i, "says block " + new BlockId(id) + ", as does entry " + index.get(id));
        }
    }

    private static void report(List<String> lines, AllocationTable table, int i, String what) {
        if (lines.size() < MAX_LINES) {
            lines.add("entry " + i + " " + what + " (" + table.describe(i) + ")");
        }
    }

    TableReport report() {
        return new TableReport(index.size(), repairable, corrupt);
    }
}
