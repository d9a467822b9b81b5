package io.tesserafs.fabric.brick;

import java.util.List;

/**
 * What is not as it should be in a pool's allocation table. Each line names the entry and what it holds.
 *
 * @param repairable of which one copy is enough: damaged in one copy, or left over from a call that was under way
 * @param corrupt about which nothing can be said; a brick with such an entry does not open
 */
public record TableReport(int allocatedBlocks, List<String> repairable, List<String> corrupt) {
    public TableReport {
        repairable = List.copyOf(repairable);
        corrupt = List.copyOf(corrupt);
    }

    public boolean isClean() {
        return repairable.isEmpty() && corrupt.isEmpty();
    }
}
