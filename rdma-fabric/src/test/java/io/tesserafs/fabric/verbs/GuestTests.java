package io.tesserafs.fabric.verbs;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectPackage;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.locks.LockSupport;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.ClassNameFilter;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TagFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;

/**
 * Runs the tests that need RDMA devices, all in this process: where those are emulated, starting Maven and a process for each module
 * takes longer than the tests. Argument: a pattern of class names.
 */
final class GuestTests {
    private static final int MAX_STACK_LINES = 15;

    /** The slowest takes twenty, and the first all that a JVM does at its start, on a machine that may have much else to do. */
    private static final int MAX_TEST_SECONDS = 240;

    private GuestTests() {}

    public static void main(String... arguments) {
        LauncherDiscoveryRequest request = LauncherDiscoveryRequestBuilder.request()
                .selectors(selectPackage("io.tesserafs.fabric"))
                .filters(TagFilter.includeTags("rdma"))
                .filters(ClassNameFilter.includeClassNamePatterns(arguments.length > 0 ? arguments[0] : ".*Test"))
                .build();
        SummaryGeneratingListener summary = new SummaryGeneratingListener();
        Launcher launcher = LauncherFactory.create();
        Progress progress = new Progress();
        Thread.ofPlatform().daemon().start(() -> watch(progress));
        launcher.execute(request, summary, progress);
        PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
        summary.getSummary().printFailuresTo(out, MAX_STACK_LINES);
        long run = summary.getSummary().getTestsStartedCount();
        long failed = summary.getSummary().getTotalFailureCount();
        out.printf("%d tests, %d failed%n", run, failed);
        System.exit(failed == 0 && run > 0 ? 0 : 1);
    }

    /** Says where everybody is when a test hangs, in the kernel perhaps, where no interrupt reaches it. Ends the process. */
    private static void watch(Progress progress) {
        while (System.nanoTime() - progress.lastNs < MAX_TEST_SECONDS * 1_000_000_000L) {
            LockSupport.parkNanos(1_000_000_000L);
        }
        System.out.println("no test ended for " + MAX_TEST_SECONDS + " s; the threads:");
        Thread.getAllStackTraces().forEach((thread, stack) -> {
            System.out.println(thread);
            Arrays.stream(stack).limit(MAX_STACK_LINES).forEach(line -> System.out.println("    " + line));
        });
        Runtime.getRuntime().halt(2);
    }

    private static final class Progress implements TestExecutionListener {
        private final long beganNs = System.nanoTime();
        private volatile long lastNs = beganNs;

        @Override
        public void executionFinished(TestIdentifier test, TestExecutionResult result) {
            lastNs = System.nanoTime();
            if (test.isTest() || result.getStatus() != TestExecutionResult.Status.SUCCESSFUL) {
                System.out.printf(
                        "%6d ms %s %s%n",
                        (System.nanoTime() - beganNs) / 1_000_000, result.getStatus(), test.getUniqueId());
                if (result.getStatus() == TestExecutionResult.Status.ABORTED) {
                    result.getThrowable().ifPresent(why -> System.out.println("          " + why.getMessage()));
                }
            }
        }

        @Override
        public void executionSkipped(TestIdentifier test, String reason) {
            System.out.printf("skipped %s: %s%n", test.getUniqueId(), reason);
        }
    }
}
