package io.tesserafs.fabric.verbs.rdmacore;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** On real devices, or what passes for such. */
@Tag("rdma")
class DeviceSurveyGuestTest {
    @Test
    void shouldSurveyDevicesAgainAndAgainWithoutKeepingThemOpen() throws Exception {
        for (int i = 0; i < 3; i++) {
            assertThat(DeviceSurvey.all()).extracting(DeviceSurvey::device).containsExactlyInAnyOrder("rxe0", "rxe1");
        }
        for (DeviceSurvey survey : DeviceSurvey.all()) {
            System.out.println(survey);
            assertThat(survey.problem()).isEmpty();
            assertThat(survey.attributes())
                    .hasValueSatisfying(a -> assertThat(a.maxRegistrations()).isPositive())
                    .hasValueSatisfying(
                            a -> assertThat(a.bindsWindowsToQueuePairs()).isTrue());
        }
    }
}
