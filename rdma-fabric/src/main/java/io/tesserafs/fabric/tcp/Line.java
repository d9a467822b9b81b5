package io.tesserafs.fabric.tcp;

/** A wire with both ends of its frames. */
record Line(Wire wire, FrameReader reader, FrameWriter writer) {
    static Line over(Wire wire) {
        return new Line(wire, new FrameReader(wire), new FrameWriter(wire));
    }
}
