package io.tesserafs.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Programs that people run, doing on the mount what they do anywhere. */
@Tag("cluster")
class ApplicationsTest {
    private static final Duration LIMIT = Duration.ofMinutes(2);

    @RegisterExtension
    static final TestCluster CLUSTER = TestCluster.oneNode("applications", "4G").patient();

    @AfterAll
    static void shouldLeaveAConsistentVolume() {
        CLUSTER.node().expectCleanFsck();
    }

    @Test
    void shouldHoldGitRepositories() {
        CLUSTER.shell(LIMIT, CLUSTER.workDirectory("git"), """
                export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
                git init -q -b main one && cd one
                for d in $(seq 20); do
                  mkdir d$d
                  for f in $(seq 40); do echo "file $f of $d" >d$d/f$f; done
                done
                git add . && git commit -q -m first
                for c in $(seq 10); do
                  echo $c >>d$c/f$c && git mv d$c/f1 d$c/moved && git commit -q -a -m "change $c"
                done
                git checkout -q -b side HEAD~5 && echo s >side && git add side && git commit -q -m side
                git checkout -q main && git merge -q -m merge side
                git gc -q --prune=now && git fsck --full --strict
                test -z "$(git status --porcelain)"
                cd .. && git clone -q one two && git clone -q --no-local one three
                cd three && git fsck --full --strict && git log --oneline | wc -l | grep -qx 13
                diff -r --exclude=.git ../one ../two
                """);
    }

    @ParameterizedTest
    @ValueSource(strings = {"delete", "truncate", "persist", "wal"})
    void shouldHoldSqliteDatabases(String journal) {
        CLUSTER.shell(LIMIT, CLUSTER.workDirectory("sqlite"), """
                test "$(sqlite3 db 'pragma journal_mode=%1$s')" = %1$s
                sqlite3 db 'create table t(id integer primary key, writer int, body blob)'
                writer() {
                  for i in $(seq 25); do
                    echo ".timeout 60000"
                    echo "pragma synchronous=full;"
                    echo "begin immediate; insert into t(writer, body) select $1, randomblob(3000) from generate_series(1, 20); commit;"
                  done | sqlite3 -bail db
                }
                pids=
                for w in 1 2 3; do writer $w & pids="$pids $!"; done
                for p in $pids; do wait $p; done
                test "$(sqlite3 db 'select count(*) from t')" = 1500
                sqlite3 db "update t set body = zeroblob(100) where id %% 2; vacuum"
                test "$(sqlite3 db 'pragma integrity_check')" = ok
                test "$(sqlite3 db 'select count(*) from t where length(body) = 100')" = 750
                """.formatted(journal));
    }

    @Test
    void shouldHoldLmdbEnvironments() {
        Path directory = CLUSTER.workDirectory("lmdb");
        CLUSTER.run(LIMIT, directory, NativePrograms.compile("lmdbtest", "-llmdb"), directory.toString(), "40000");
    }

    @Test
    void shouldBuildCPrograms() {
        CLUSTER.shell(LIMIT, CLUSTER.workDirectory("make"), """
                objects=
                for i in $(seq 150); do
                  echo "#include <stdio.h>
                #include \\"all.h\\"
                int f$i(void) { return $i; }" >f$i.c
                  echo "int f$i(void);" >>all.h
                  objects="$objects f$i.o"
                done
                { echo '#include "all.h"'; echo 'int main(void) { return (0'; for i in $(seq 150); do echo "+f$i()"; done
                  echo ') != 11325; }'; } >main.c
                { echo "program: main.o $objects"; printf '\\tgcc -o $@ $^\\n'; echo '%.o: %.c all.h'; printf '\\tgcc -c -o $@ $<\\n'; } >Makefile
                make -s -j2 && ./program
                make -s -q
                sleep 0.01 && touch f7.c && ! make -s -q && make -s && ./program
                """);
    }

    @Test
    void shouldCompileOurOwnSources() {
        Path sources = TestDirectories.root();
        String javac = Path.of(System.getProperty("java.home"), "bin", "javac").toString();
        CLUSTER.shell(LIMIT, CLUSTER.workDirectory("javac"), """
                cp -r %s/fs-fuse/src/main/java src
                %s -proc:none -nowarn -cp "%s" -d classes $(find src -name '*.java' ! -name module-info.java)
                jar=%s; "${jar%%javac}jar" cf all.jar -C classes .
                find classes -name '*.class' | wc -l
                """.formatted(
                        sources, javac, System.getProperty("java.class.path"), javac));
    }

    @Test
    void shouldKeepEveryByteOfALargeTree() {
        CLUSTER.shell(LIMIT, CLUSTER.workDirectory("tar"), """
                tar -C / -cf - usr/include usr/share/perl5 usr/lib/gcc 2>/dev/null | tar -xpf -
                sums() { xargs -0 sha256sum | sort -k 2; }
                find usr -type f -print0 | sums >here
                (cd / && find usr/include usr/share/perl5 usr/lib/gcc -type f -print0 | sums) >there
                test -s there && diff here there
                tar -cf copy.tar usr && mkdir again && tar -C again -xf copy.tar && diff -r --no-dereference usr again/usr
                find usr -type f -printf '%p %m %s %T@\\n' | sort >attributes
                (cd again && find usr -type f -printf '%p %m %s %Ts\\n' | sort) >attributes.again
                sed 's/\\.[0-9]*$//' attributes | diff - attributes.again
                rm -rf usr again
                """);
    }

    @ParameterizedTest
    @ValueSource(strings = {"psync", "mmap"})
    void shouldPassFiosVerification(String engine) {
        Path directory = CLUSTER.workDirectory("fio");
        for (String pattern : new String[] {"write", "randwrite", "randrw"}) {
            CLUSTER.run(
                    LIMIT,
                    CLUSTER.scratch(),
                    "fio",
                    "--name=" + pattern,
                    "--directory=" + directory,
                    "--ioengine=" + engine,
                    "--rw=" + pattern,
                    "--bs=4k-64k",
                    "--size=96m",
                    "--numjobs=2",
                    "--verify=crc32c",
                    "--verify_fatal=1",
                    "--fallocate=none",
                    "--fsync=500",
                    "--randseed=42");
        }
    }

    @Test
    void shouldPassFiosVerificationWithDirectIo() {
        CLUSTER.run(
                LIMIT,
                CLUSTER.scratch(),
                "fio",
                "--name=direct",
                "--directory=" + CLUSTER.workDirectory("fio"),
                "--ioengine=psync",
                "--direct=1",
                "--rw=randrw",
                "--bs=64k",
                "--size=128m",
                "--numjobs=2",
                "--verify=crc32c",
                "--verify_fatal=1",
                "--randseed=43");
    }

    @Test
    void shouldLetTwoProcessesShareAMapping() {
        Path file = CLUSTER.workDirectory("sharing").resolve("page");
        CLUSTER.run(LIMIT, CLUSTER.scratch(), NativePrograms.compile("sharing"), file.toString(), "20000");
    }

    @Test
    void shouldNotLeakFileDescriptorsOfTheDaemon() {
        int before = CLUSTER.node().openFiles();
        CLUSTER.shell(LIMIT, CLUSTER.workDirectory("fds"), """
                for i in $(seq 300); do echo $i >f$i; cat f$i >/dev/null; mv f$i g$i; done
                ls -l | wc -l; rm g*
                """);
        assertThat(CLUSTER.node().openFiles()).isLessThanOrEqualTo(before + 8);
    }
}
