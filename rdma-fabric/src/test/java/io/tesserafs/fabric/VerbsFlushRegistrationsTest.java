package io.tesserafs.fabric;

import io.tesserafs.fabric.verbs.Revocation;

/** The same with a device that has no memory windows. */
class VerbsFlushRegistrationsTest extends VerbsFlushTest {
    @Override
    Revocation revocation() {
        return Revocation.REGISTRATION;
    }
}
