package io.tesserafs.fuse.mount;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class MountInfoTest {
    @Test
    void shouldParseOptionalFieldsAndEscapes() {
        assertThat(
                        MountInfo.parse(
                                "36 35 0:45 / /mnt/my\\040dir rw,noatime shared:1 master:2 - fuse.tesserafs vol\\0401 rw,user_id=0"))
                .isEqualTo(new MountInfo(0, 45, Path.of("/mnt/my dir"), "fuse.tesserafs", "vol 1"));
        assertThat(MountInfo.parse("22 1 8:1 / / rw - ext4 /dev/sda1 rw"))
                .isEqualTo(new MountInfo(8, 1, Path.of("/"), "ext4", "/dev/sda1"));
    }
}
