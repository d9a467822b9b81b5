package io.tesserafs.fabric.brick;

import java.util.List;

/** Is told of handles that a brick killed, by whichever call. */
public interface KillListener {
    /**
     * The handles are dead and no operation through them is under way in this process. Called before the call that killed them returns,
     * by its thread; of FREE, before the blocks can be allocated again. Waits as long as bytes may still move by other ways.
     */
    void killed(List<BlockHandle> handles);
}
