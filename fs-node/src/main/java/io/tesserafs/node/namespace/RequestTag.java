package io.tesserafs.node.namespace;

import io.tesserafs.fabric.brick.SessionId;

/**
 * Which request of a session a change belongs to, so that a repetition is recognised, by the next owner too.
 *
 * @param number increases within the session
 * @param answeredBelow requests with lower numbers have their answers and are never repeated
 */
public record RequestTag(SessionId session, long number, long answeredBelow) {
    public RequestTag {
        if (number < 1 || answeredBelow > number) {
            throw new IllegalArgumentException("request " + number + ", answered below " + answeredBelow);
        }
    }
}
