package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.ibm.disni.verbs.IbvSendWR;
import io.tesserafs.fabric.verbs.FakeSend.Posted;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RowsTest {
    private static final int ACCESS_ERROR = 10;

    private final List<Posted> posted = new ArrayList<>();
    private final Slot slot = FakeSend.slot(0, posted);
    private final AtomicInteger destroyed = new AtomicInteger();
    private final Requests requests = new Requests("the queue pair", 1, destroyed::incrementAndGet);

    private static Gather request(int number, int bytes) {
        return new Gather(1000 + number, number, List.of(new Gather.Element(number, bytes, 7)));
    }

    private static List<Gather> requests(int count, int bytes) {
        return IntStream.range(0, count).mapToObj(i -> request(i, bytes)).toList();
    }

    /** Returns how many were posted before each wait. */
    private List<Integer> run(List<Gather> all) throws IOException {
        List<Integer> waits = new ArrayList<>();
        Rows.run(slot, all, Gather::bytes, (to, one, last) -> to.postGather(OneSided.WRITE, one, last), waiting -> {
            assertThat(waiting.isDue()).isTrue();
            waits.add(posted.size());
            waiting.complete(0);
        });
        assertThat(slot.isDue()).isFalse();
        return waits;
    }

    private static boolean isSignalled(Posted one) {
        return one.flags() == IbvSendWR.IBV_SEND_SIGNALED;
    }

    @Test
    void shouldWaitOnceForEachRow() throws Exception {
        assertThat(run(requests(40, 1))).containsExactly(16, 32, 40);
        assertThat(posted)
                .extracting(Posted::key)
                .isEqualTo(IntStream.range(0, 40).boxed().toList());
        assertThat(posted).extracting(Posted::opcode).containsOnly(IbvSendWR.IBV_WR_RDMA_WRITE);
        assertThat(IntStream.range(0, 40).filter(i -> isSignalled(posted.get(i))))
                .containsExactly(15, 31, 39);
    }

    @Test
    void shouldDoNothingForNothing() throws Exception {
        assertThat(run(List.of())).isEmpty();
        assertThat(posted).isEmpty();
    }

    @Test
    void shouldEndARowBeforeItHasTooManyBytes() throws Exception {
        int half = (int) Rows.ROW_BYTES / 2;
        assertThat(run(requests(5, half))).containsExactly(2, 4, 5);
        posted.clear();
        assertThat(run(requests(3, half + 1))).containsExactly(1, 2, 3);
        posted.clear();
        assertThat(run(requests(2, 4 * half))).as("too large for any row").containsExactly(1, 2);
    }

    @Test
    void shouldPostAllInOrderWithinTheLimits() throws Exception {
        long seed = new Random().nextLong();
        System.out.println("RowsTest seed " + seed);
        Random random = new Random(seed);
        for (int round = 0; round < 200; round++) {
            posted.clear();
            List<Gather> all = new ArrayList<>();
            for (int i = 0, count = 1 + random.nextInt(100); i < count; i++) {
                all.add(request(i, 1 + random.nextInt(1 << random.nextInt(1, 23))));
            }
            int from = 0;
            for (int to : run(all)) {
                assertThat(to - from).as("seed %d", seed).isBetween(1, Rows.ROW);
                long bytes = 0;
                for (Posted one : posted.subList(from, to)) {
                    bytes += one.elements().getFirst().bytes();
                    assertThat(isSignalled(one)).as("seed %d", seed).isEqualTo(one.equals(posted.get(to - 1)));
                }
                assertThat(to - from == 1 || bytes <= Rows.ROW_BYTES)
                        .as("seed %d", seed)
                        .isTrue();
                from = to;
            }
            assertThat(from).as("seed %d", seed).isEqualTo(all.size());
            assertThat(posted)
                    .as("seed %d", seed)
                    .extracting(Posted::elements)
                    .isEqualTo(all.stream().map(Gather::elements).toList());
        }
    }

    /** What the device hands back first may be in the middle of the row. */
    @Test
    void shouldDestroyTheQueuePairIfARowFails() {
        requests.use(slot);
        assertThatThrownBy(() -> requests.run(mine -> Rows.run(
                        mine,
                        requests(20, 1),
                        Gather::bytes,
                        (to, one, last) -> to.postGather(OneSided.READ, one, last),
                        RowsTest::refuse)))
                .hasMessage("refused");
        assertThat(posted).hasSize(Rows.ROW);
        assertThat(destroyed).hasValue(1);
    }

    @Test
    void shouldDestroyItIfARowCannotBePosted() {
        requests.use(slot);
        assertThatThrownBy(() -> requests.run(mine -> Rows.run(
                        mine,
                        requests(3, 1),
                        Gather::bytes,
                        (to, one, last) -> {
                            if (last) {
                                to.complete(ACCESS_ERROR); // of one before
                                throw new IOException("the queue pair has failed");
                            }
                            to.postGather(OneSided.READ, one, false);
                        },
                        RowsTest::refuse)))
                .hasMessageContaining("has failed");
        assertThat(destroyed).hasValue(1);
    }

    @Test
    void shouldOnlyFailIfARequestAloneIsRefused() {
        requests.use(slot);
        assertThatThrownBy(() -> requests.run(mine -> Rows.run(
                        mine,
                        requests(1, 1),
                        Gather::bytes,
                        (to, one, last) -> to.postGather(OneSided.READ, one, last),
                        RowsTest::refuse)))
                .hasMessage("refused");
        assertThat(destroyed).hasValue(0);
    }

    private static void refuse(Slot slot) throws IOException {
        slot.complete(ACCESS_ERROR);
        throw new QueuePairException("refused");
    }
}
