package io.tesserafs.fabric.brick;

import java.security.SecureRandom;

/** Names a handle to the brick. 128 random bits: who was not given it cannot make it up. */
public record HandleKey(long high, long low) {
    static HandleKey random(SecureRandom random) {
        return new HandleKey(random.nextLong(), random.nextLong());
    }
}
