package io.tesserafs.fabric.verbs;

/** Keys of a memory window for each handle. */
class DeadWindowTest extends DeadKeyContract {
    @Override
    Revocation revocation() {
        return Revocation.MEMORY_WINDOW;
    }
}
