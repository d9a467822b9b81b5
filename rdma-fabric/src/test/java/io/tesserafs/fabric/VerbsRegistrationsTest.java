package io.tesserafs.fabric;

import io.tesserafs.fabric.verbs.Revocation;

/** The same with a device that has no memory windows. */
class VerbsRegistrationsTest extends VerbsFabricTest {
    @Override
    Revocation revocation() {
        return Revocation.REGISTRATION;
    }
}
