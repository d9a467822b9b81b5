package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThat;

import com.ibm.disni.verbs.SVCPostSend;
import io.tesserafs.fabric.verbs.FakeSend.Posted;
import io.tesserafs.fabric.verbs.Gather.Element;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class GatherTest {
    private static final int KEY = 5;

    private static List<Gather> cut(List<Element> elements, int maxElements) {
        List<Gather> all = new ArrayList<>();
        Gather.cut(all, 1000, KEY, elements, maxElements);
        return all;
    }

    @Test
    void shouldCutWhatHasMoreElementsThanARequestMayHave() {
        long seed = new Random().nextLong();
        System.out.println("GatherTest seed " + seed);
        Random random = new Random(seed);
        for (int round = 0; round < 200; round++) {
            int most = random.nextInt(1, Gather.MAX_ELEMENTS + 1);
            List<Element> elements = IntStream.range(0, random.nextInt(60))
                    .mapToObj(i -> new Element(random.nextLong(), 1 + random.nextInt(10_000), i))
                    .toList();
            List<Element> seen = new ArrayList<>();
            long at = 1000;
            for (Gather one : cut(elements, most)) {
                assertThat(one.remote()).as("seed %d", seed).isEqualTo(at);
                assertThat(one.key()).isEqualTo(KEY);
                assertThat(one.elements()).as("seed %d", seed).hasSizeBetween(1, most);
                seen.addAll(one.elements());
                at += one.bytes();
            }
            assertThat(seen).as("seed %d", seed).isEqualTo(elements);
            assertThat(cut(elements, most)).hasSize((elements.size() + most - 1) / most);
        }
    }

    @Test
    void shouldRefuseMemoryThatTheDeviceDoesNotKnow() {
        MemorySegment none = MemorySegment.ofArray(new byte[0]);
        MemorySegment unknown = MemorySegment.ofArray(new byte[1]);
        assertThat(Gather.elements(List.of(none, unknown), memory -> null)).isNull();
        assertThat(Gather.elements(List.of(none, none), memory -> null)).isEmpty();
    }

    @Test
    void shouldPostEachElement() throws Exception {
        List<Posted> posted = new ArrayList<>();
        Slot slot = FakeSend.slot(0, posted);
        List<Element> elements = List.of(new Element(1, 10, 7), new Element(2, 20, 8), new Element(3, 30, 9));
        slot.postGather(OneSided.WRITE, new Gather(1000, KEY, elements), false);
        slot.postGather(OneSided.WRITE, new Gather(2000, KEY, elements.subList(1, 2)), false);
        assertThat(posted).extracting(Posted::elements).containsExactly(elements, elements.subList(1, 2));
        assertThat(posted).extracting(Posted::remote).containsExactly(1000L, 2000L);
        assertThat(slot.isPending()).isTrue();
    }

    @Test
    void shouldPrepareEachKindOfRequestOnce() throws Exception {
        PreparedPosts posts = FakeSend.posts(new ArrayList<>());
        List<SVCPostSend> all = new ArrayList<>();
        for (int round = 0; round < 2; round++) {
            for (OneSided kind : OneSided.values()) {
                for (int elements = 1; elements <= Gather.MAX_ELEMENTS; elements++) {
                    all.add(posts.get(kind, elements, true));
                    all.add(posts.get(kind, elements, false));
                }
            }
        }
        int kinds = 4 * Gather.MAX_ELEMENTS;
        assertThat(all.subList(0, kinds)).doesNotHaveDuplicates();
        for (int i = 0; i < kinds; i++) {
            assertThat(all.get(kinds + i)).isSameAs(all.get(i));
        }
    }
}
