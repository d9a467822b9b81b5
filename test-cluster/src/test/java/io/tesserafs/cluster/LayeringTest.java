package io.tesserafs.cluster;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

/** Modules point one way; what a module may use is decided here and not by what happens to be on the class path. */
class LayeringTest {
    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("io.tesserafs.fabric", "io.tesserafs.coherence", "io.tesserafs.fuse", "io.tesserafs.node");

    @Test
    void shouldPointDownward() {
        layeredArchitecture()
                .consideringOnlyDependenciesInLayers()
                .layer("fs-node")
                .definedBy("io.tesserafs.node..")
                .layer("fs-fuse")
                .definedBy("io.tesserafs.fuse..")
                .layer("coherence")
                .definedBy("io.tesserafs.coherence..")
                .layer("rdma-fabric")
                .definedBy("io.tesserafs.fabric..")
                .whereLayer("fs-node")
                .mayNotBeAccessedByAnyLayer()
                .whereLayer("fs-fuse")
                .mayOnlyBeAccessedByLayers("fs-node")
                .whereLayer("coherence")
                .mayOnlyBeAccessedByLayers("fs-node")
                .whereLayer("rdma-fabric")
                .mayOnlyBeAccessedByLayers("fs-node", "coherence")
                .check(CLASSES);
    }

    @Test
    void shouldHaveNoCyclesBetweenPackages() {
        slices().matching("io.tesserafs.(*).(*)..").should().beFreeOfCycles().check(CLASSES);
    }

    @Test
    void shouldKeepZooKeeperInTheCoherenceModule() {
        noClasses()
                .that()
                .resideOutsideOfPackage("io.tesserafs.coherence..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("org.apache.zookeeper..", "org.apache.curator..")
                .check(CLASSES);
    }

    @Test
    void shouldKeepTheCommandLineOutOfTheDaemon() {
        noClasses()
                .that()
                .resideInAnyPackage("io.tesserafs.node.namespace..", "io.tesserafs.node.data..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "picocli..",
                        "io.tesserafs.node.cli..",
                        "io.tesserafs.node.admin..",
                        "io.tesserafs.node.daemon..")
                .check(CLASSES);
    }

    @Test
    void shouldPrintOnlyFromTheCommandLine() {
        noClasses()
                .that()
                .resideOutsideOfPackage("io.tesserafs.node.cli..")
                .should()
                .accessField(System.class, "out")
                .orShould()
                .accessField(System.class, "err")
                .orShould()
                .callMethod(Throwable.class, "printStackTrace")
                .check(CLASSES);
    }
}
