package io.tesserafs.coherence.sim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The protocol of tokens and sessions against lost connections, partitions, crashes, and processes that stand still: in virtual time, one thread,
 * a seed per run.
 *
 * <p>{@code -Dtessera.sim.seed=N} runs one seed, {@code -Dtessera.sim.seeds=N} that many.
 */
class ProtocolSimulationTest {
    private static final int SEEDS = Integer.getInteger("tessera.sim.seeds", 3000);
    private static final int SEEDS_TO_NOTICE_A_FLAW = 12_000;

    private static World run(long seed, Flaw flaw) {
        World world = new World(seed, flaw);
        try {
            world.run();
        } catch (World.Violation | IllegalStateException | IllegalArgumentException e) {
            throw new World.Violation("-Dtessera.sim.seed=" + seed + ": " + e.getMessage(), e);
        }
        return world;
    }

    @Test
    void shouldStayCoherentAndServeEveryRequestWhateverFails() {
        Long only = Long.getLong("tessera.sim.seed");
        if (only != null) {
            run(only, Flaw.NONE);
            return;
        }
        long served = 0;
        long refused = 0;
        for (long seed = 0; seed < SEEDS; seed++) {
            World world = run(seed, Flaw.NONE);
            served += world.answeredWell();
            refused += world.answeredWithErrors();
        }
        assertThat(served).as("requests served; %s failed", refused).isGreaterThan(refused);
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
    void shouldNoticeWhenARuleIsBroken(Flaw flaw) {
        assertThatThrownBy(() -> {
                    for (long seed = 0; seed < SEEDS_TO_NOTICE_A_FLAW; seed++) {
                        run(seed, flaw);
                    }
                })
                .isInstanceOf(World.Violation.class);
    }
}
