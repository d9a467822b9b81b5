package io.tesserafs.fabric.verbs;

/** Keys of a registration for each handle. */
class DeadRegistrationTest extends DeadKeyContract {
    @Override
    Revocation revocation() {
        return Revocation.REGISTRATION;
    }
}
