package io.tesserafs.node.namespace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tesserafs.fabric.brick.BlockId;
import io.tesserafs.fabric.brick.BrickId;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Persistent formats, byte for byte, and the small structures behind them. */
class FormatTest {
    private static String hex(ByteBuffer bytes) {
        byte[] array = new byte[bytes.remaining()];
        bytes.get(array);
        return HexFormat.of().formatHex(array);
    }

    @Test
    void shouldEncodeMutationsAsDocumented() {
        Mutations m = new Mutations();
        m.putEntry(1, 16, 5, new byte[] {'a', 'b'});
        assertThat(hex(m.view()))
                .isEqualTo("04" + "0100000000000000" + "1000000000000000" + "0500000000000000" + "02006162");
        m.clear();
        m.setAttr(5, Mutations.NLINK | Mutations.CTIME).field(2).field(7L);
        assertThat(hex(m.view())).isEqualTo("02" + "0500000000000000" + "82000000" + "02000000" + "0700000000000000");
        m.clear();
        long packed = ExtentMap.pack(new ExtentRef(new BrickId(1), BlockId.of(1, 3), 8192, 4096), 100);
        m.putExtent(5, 2, BlockId.of(1, 3).value(), packed, 50);
        assertThat(hex(m.view()))
                .isEqualTo("06" + "0500000000000000" + "0200000000000000" + "0300000000000100" + "6400000030010100"
                        + "32000000");
        m.clear();
        m.request(9, 7, 6, new Applied(5, 1));
        m.endSession(9);
        assertThat(hex(m.view()))
                .isEqualTo("0e" + "0900000000000000" + "0700000000000000" + "0600000000000000" + "0500000000000000"
                        + "01000000" + "0f" + "0900000000000000");
    }

    @Test
    void shouldRefuseDamagedManifests() throws Exception {
        Manifest manifest =
                new Manifest(3, 9, 10, 20, 0, 2, 5, 4, List.of(new Manifest.Entry(7, 1), new Manifest.Entry(8, 2)));
        byte[] bytes = manifest.encode();
        assertThat(bytes).hasSize(64 + 2 * 16 + 4);
        assertThat(Manifest.decode(bytes)).isEqualTo(manifest);
        for (int i = 0; i < bytes.length; i++) {
            byte[] damaged = bytes.clone();
            damaged[i] ^= 0x10;
            assertThatThrownBy(() -> Manifest.decode(damaged)).isInstanceOf(Manifest.BadManifestException.class);
            byte[] cut = java.util.Arrays.copyOf(bytes, i);
            assertThatThrownBy(() -> Manifest.decode(cut)).isInstanceOf(Manifest.BadManifestException.class);
        }
    }

    @Test
    void shouldPackAndUnpackEveryKindOfExtent() {
        for (int log = 12; log <= 21; log++) {
            int bytes = 1 << log;
            ExtentRef ref = new ExtentRef(new BrickId(0xFFFF), BlockId.of(0xFFFF, 123), (2 << 20) - bytes, bytes);
            long packed = ExtentMap.pack(ref, bytes);
            assertThat(ExtentMap.wellFormed(packed)).isTrue();
            assertThat(ExtentMap.ref(ref.block().value(), packed)).isEqualTo(ref);
            assertThat(ExtentMap.validBytes(packed)).isEqualTo(bytes);
            assertThat(ExtentMap.validBytes(ExtentMap.withValid(packed, 17))).isEqualTo(17);
        }
    }

    @Test
    void shouldKeepDirectoryEntriesLikeAMapThroughGrowthRemovalAndCompaction() {
        for (long seed = 0; seed < 20; seed++) {
            Random random = new Random(seed);
            Directory directory = new Directory(1);
            TreeMap<String, Long> model = new TreeMap<>();
            for (int i = 0; i < 20_000; i++) {
                String name = "n" + random.nextInt(i < 10_000 ? 3000 : 300);
                byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
                if (random.nextInt(5) < (i < 10_000 ? 3 : 2)) {
                    if (!model.containsKey(name)) {
                        directory.put(bytes, i + 2, directory.nextCookie());
                        model.put(name, i + 2L);
                    }
                } else {
                    assertThat(directory.remove(bytes)).as("seed %d", seed).isEqualTo(model.remove(name) != null);
                }
            }
            assertThat(directory.size()).isEqualTo(model.size());
            model.forEach((name, ino) -> assertThat(directory.find(name.getBytes(StandardCharsets.UTF_8)))
                    .isEqualTo(ino));
            long last = 0;
            int seen = 0;
            for (int slot = directory.after(0); slot < directory.slots(); slot++) {
                if (directory.nameAt(slot) != null) {
                    assertThat(directory.cookieAt(slot)).isGreaterThan(last);
                    last = directory.cookieAt(slot);
                    seen++;
                }
            }
            assertThat(seen).isEqualTo(model.size());
        }
    }
}
