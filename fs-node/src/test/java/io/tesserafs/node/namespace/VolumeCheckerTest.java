package io.tesserafs.node.namespace;

import static io.tesserafs.node.namespace.OwnerFixture.bytes;
import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fabric.brick.BlockId;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the checker says of a volume that was damaged on purpose, in memory or on its brick. */
class VolumeCheckerTest {
    private static final int SLICE = 8192;

    @TempDir
    Path directory;

    private OwnerFixture volume;
    private Tables tables;
    private long dir;
    private long file;
    private long other;
    private ExtentRef slice;
    private ExtentRef whole;

    @BeforeEach
    void makeASoundVolume() throws Exception {
        volume = new OwnerFixture(directory);
        tables = volume.owner().core().tables;
        dir = volume.mkdir(VolumeService.ROOT, "dir");
        file = volume.file(dir, "file");
        other = volume.file(VolumeService.ROOT, "other");
        slice = volume.extend(file, 0, SLICE, true);
        whole = volume.extend(other, 0, BlockId.BLOCK_BYTES, true);
    }

    @AfterEach
    void close() {
        volume.close();
    }

    private Inode inode(long ino) {
        Inode inode = tables.inode(ino);
        assertThat(inode).isNotNull();
        return inode;
    }

    private void expect(String... problems) throws Exception {
        assertThat(volume.check().problems()).containsExactlyInAnyOrder(problems);
    }

    @Test
    void shouldFindNothingWrongWithASoundVolume() throws Exception {
        CheckReport report = volume.check();
        assertThat(report.problems()).isEmpty();
        assertThat(report.notes()).isEmpty();
        assertThat(report.inodes()).isEqualTo(4);
        assertThat(report.directories()).isEqualTo(2);
        assertThat(report.extents()).isEqualTo(2);
    }

    @Test
    void shouldReportANameThatLeadsNowhere() throws Exception {
        inode(dir).directory().put(bytes("ghost"), 999, 100);
        expect("directory " + dir + ": entry 'ghost' leads to inode 999, which is not there");
    }

    @Test
    void shouldReportAWrongLinkCount() throws Exception {
        inode(file).nlink = 3;
        expect("inode " + file + " has link count 3, but 1 names");
    }

    @Test
    void shouldReportAnInodeThatNoNameLeadsTo() throws Exception {
        inode(dir).directory().remove(bytes("file"));
        expect("inode " + file + " has link count 1, but no name leads to it");
    }

    @Test
    void shouldNoteAnInodeThatIsOpenWithoutAName() throws Exception {
        inode(dir).directory().remove(bytes("file"));
        inode(file).nlink = 0;
        CheckReport report = volume.check();
        assertThat(report.problems()).isEmpty();
        assertThat(report.notes())
                .containsExactly("inode " + file + " has no name any more and goes when it is closed");
    }

    @Test
    void shouldReportADirectoryThatCountsItsSubdirectoriesWrong() throws Exception {
        inode(VolumeService.ROOT).nlink = 2;
        expect("directory " + VolumeService.ROOT + " has link count 2, but 1 subdirectories");
    }

    @Test
    void shouldReportADirectoryWithTwoNames() throws Exception {
        inode(VolumeService.ROOT).directory().put(bytes("again"), dir, 100);
        inode(VolumeService.ROOT).nlink = 4;
        expect("directory " + dir + " has 2 names");
    }

    @Test
    void shouldReportADirectoryThatBelievesToBeElsewhere() throws Exception {
        inode(dir).directory().parent(file);
        expect("directory " + dir + " ('dir') is in " + VolumeService.ROOT + ", but says " + file);
    }

    @Test
    void shouldReportACircleOfDirectories() throws Exception {
        long below = volume.mkdir(dir, "below");
        inode(VolumeService.ROOT).directory().remove(bytes("dir"));
        inode(VolumeService.ROOT).nlink = 2;
        inode(below).directory().put(bytes("dir"), dir, 100);
        inode(below).nlink = 3;
        inode(dir).directory().parent(below);
        expect(
                "inode " + dir + " has link count 3, but no name leads to it",
                "inode " + below + " has link count 3, but no name leads to it",
                "inode " + file + " has link count 1, but no name leads to it");
    }

    @Test
    void shouldReportAMissingRoot() throws Exception {
        inode(VolumeService.ROOT).body = null;
        assertThat(volume.check().problems()).contains("the root is missing or no directory");
    }

    @Test
    void shouldReportABlockThatTheBrickDoesNotHave() throws Exception {
        volume.client.free(whole.block());
        expect("block " + whole.block() + " is in use, but brick b1 does not have it");
    }

    @Test
    void shouldReportABlockThatNobodyKnows() throws Exception {
        BlockId leaked = BlockId.of(1, 0x7777);
        volume.client.alloc(leaked);
        expect("block " + leaked + " on brick b1 is leaked: allocated, but nothing knows it");
    }

    @Test
    void shouldReportASliceThatTwoFilesUse() throws Exception {
        Inode thief = inode(volume.file(dir, "thief"));
        ExtentMap stolen = new ExtentMap();
        ExtentMap owned = inode(file).extents();
        stolen.put(0, owned.blockAt(0), owned.packedAt(0), 0);
        thief.body = stolen;
        thief.blocks = SLICE / 512;
        assertThat(volume.check().problems())
                .singleElement()
                .asString()
                .endsWith("slice at " + slice.offset() + " of block " + slice.block() + " is used twice");
    }

    @Test
    void shouldReportAWholeBlockThatTwoFilesUse() throws Exception {
        Inode thief = inode(volume.file(dir, "thief"));
        ExtentMap stolen = new ExtentMap();
        ExtentMap owned = inode(other).extents();
        stolen.put(0, owned.blockAt(0), owned.packedAt(0), 0);
        thief.body = stolen;
        thief.blocks = BlockId.BLOCK_BYTES / 512;
        assertThat(volume.check().problems())
                .singleElement()
                .asString()
                .endsWith("block " + whole.block() + " is used twice");
    }

    @Test
    void shouldReportABlockThatIsUsedWholeAndInSlices() throws Exception {
        Inode thief = inode(volume.file(dir, "thief"));
        ExtentMap stolen = new ExtentMap();
        stolen.put(0, slice.block().value(), inode(other).extents().packedAt(0), 0);
        thief.body = stolen;
        thief.blocks = BlockId.BLOCK_BYTES / 512;
        assertThat(volume.check().problems()).singleElement().asString().contains("block " + slice.block());
    }

    @Test
    void shouldReportAFileThatCountsItsSpaceWrong() throws Exception {
        inode(file).blocks += 8;
        expect("inode " + file + " counts " + (SLICE / 512 + 8) + " units, its extents have " + SLICE / 512);
    }

    @Test
    void shouldSayHowManyMoreProblemsThereAreThanItLists() throws Exception {
        Directory entries = inode(dir).directory();
        for (int i = 0; i < 150; i++) {
            entries.put(bytes("ghost" + i), 1000 + i, 100 + i);
        }
        assertThat(volume.check().problems()).hasSize(101).last().isEqualTo("and 50 more");
    }
}
