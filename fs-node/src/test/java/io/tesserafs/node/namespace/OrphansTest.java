package io.tesserafs.node.namespace;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.brick.SessionId;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OrphansTest {
    private static final SessionId A = new SessionId(1);
    private static final SessionId B = new SessionId(2);

    private final Orphans orphans = new Orphans();

    @Test
    void shouldKeepAnInodeUntilTheLastSessionLetsGo() {
        assertThat(orphans.add(5, List.of(A, B))).isFalse();
        assertThat(orphans.letGo(5, A)).isFalse();
        assertThat(orphans.letGo(5, A)).as("said twice").isFalse();
        assertThat(orphans.letGo(5, B)).isTrue();
        assertThat(orphans.count()).isZero();
    }

    @Test
    void shouldEndWhatOnlyADeadSessionReferredTo() {
        orphans.add(5, List.of(A));
        orphans.add(6, List.of(A, B));
        assertThat(orphans.sessionEnded(A)).containsExactly(5L);
        assertThat(orphans.heldBy(B)).containsExactly(6L);
        assertThat(orphans.sessionEnded(B)).containsExactly(6L);
    }

    @Test
    void shouldNotEndAnInodeThatHasANameAgain() {
        orphans.add(5, List.of(A));
        orphans.named(5);
        assertThat(orphans.letGo(5, A)).isFalse();
        assertThat(orphans.sessionEnded(A)).isEmpty();
    }

    @Test
    void shouldEndAtOnceWhatNobodyCanReferTo() {
        assertThat(orphans.add(5, List.of())).isTrue();
        assertThat(orphans.count()).isZero();
    }

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(longs = {1, 2, 3})
    void shouldEndEveryInodeOnceAndOnlyWhenNobodyRefersToIt(long seed) {
        Random random = new Random(seed);
        Map<Long, Set<SessionId>> model = new TreeMap<>();
        Set<SessionId> living = new HashSet<>(Set.of(A, B));
        long nextSession = 3;
        for (long step = 1; step < 5000; step++) {
            SessionId session = List.copyOf(living).get(random.nextInt(living.size()));
            switch (random.nextInt(8)) {
                case 0, 1 -> {
                    orphans.add(step, living);
                    model.put(step, new HashSet<>(living));
                }
                case 2 -> living.add(new SessionId(nextSession++));
                case 3 -> {
                    if (living.size() > 1) {
                        living.remove(session);
                        Set<Long> dead = new HashSet<>();
                        model.forEach((ino, held) -> {
                            if (held.remove(session) && held.isEmpty()) {
                                dead.add(ino);
                            }
                        });
                        model.keySet().removeAll(dead);
                        assertThat(orphans.sessionEnded(session)).containsExactlyInAnyOrderElementsOf(dead);
                    }
                }
                default -> {
                    long ino = Math.max(1, step - random.nextInt(40));
                    Set<SessionId> held = model.get(ino);
                    boolean dies = held != null && held.remove(session) && held.isEmpty();
                    assertThat(orphans.letGo(ino, session)).isEqualTo(dies);
                    if (dies) {
                        model.remove(ino);
                    }
                }
            }
            assertThat(orphans.count()).isEqualTo(model.size());
        }
    }
}
