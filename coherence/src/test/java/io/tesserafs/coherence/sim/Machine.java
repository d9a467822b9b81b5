package io.tesserafs.coherence.sim;

/** Something that runs on a machine with a clock of its own; it can crash, and it can stand still for a while. */
class Machine {
    final World world;
    final String name;
    private final double clockRate;
    private final long clockOffsetUs;

    /** Counts its lives: what was scheduled in an earlier one does not happen. */
    int life;

    boolean crashed;
    long hangsUntilUs;

    Machine(World world, String name) {
        this.world = world;
        this.name = name;
        this.clockRate = 1 + (world.random.nextDouble() * 2 - 1) * World.MAX_CLOCK_ERROR;
        this.clockOffsetUs = world.random.nextInt(1_000_000_000);
    }

    /** By its own clock. */
    long nowNs() {
        return (long) ((world.nowUs() * clockRate + clockOffsetUs) * 1000);
    }

    /** In that many microseconds of its own clock. */
    void after(long us, Runnable step) {
        world.schedule(world.nowUs() + (long) Math.ceil(us / clockRate), this, step);
    }

    /** A thread of its own gets to it soon. */
    void soon(Runnable step) {
        after(world.random.nextInt(20) == 0 ? world.random.nextInt(3000) : world.random.nextInt(40), step);
    }

    @Override
    public String toString() {
        return name;
    }
}
