package io.tesserafs.fabric.verbs;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** Numbers of enum rdma_cm_event_type, rdma/rdma_cma.h. */
class CmNewsTest {
    @Test
    void shouldKnowWhatEndsAConnection() {
        assertThat(CmNews.of(4)).isEqualTo(CmNews.REQUEST);
        assertThat(CmNews.of(10)).isEqualTo(CmNews.ENDED);
        assertThat(CmNews.of(11)).isEqualTo(CmNews.REMOVED);
        assertThat(CmNews.of(15)).isEqualTo(CmNews.ENDED);
        for (CmNews news : CmNews.values()) {
            assertThat(news.endsConnection()).isEqualTo(news == CmNews.ENDED || news == CmNews.REMOVED);
        }
    }

    @Test
    void shouldLetAConnectionOutliveOtherEvents() {
        for (int event : new int[] {0, 2, 5, 9, 12, 14, 16, 99, -1}) {
            assertThat(CmNews.of(event)).isEqualTo(CmNews.OTHER);
        }
    }
}
