package io.tesserafs.fabric.brick;

import java.util.List;

/** Is told of handles that a brick killed, by whichever call: FREE, FENCE, UNMAP, or the end of a client or the brick. */
public interface KillListener {
    /**
     * The handles are dead and no operation through them is under way in this process. Called by the thread whose call killed them,
     * before that call returns; of FREE, before the blocks can be allocated again. Waits, for a limited time, for whoever reaches the
     * bytes by other ways. Is asked again about those that it returned when the next call concerns them.
     *
     * @return those whose bytes may still be reached
     */
    List<BlockHandle> killed(List<BlockHandle> handles);
}
