package io.tesserafs.node.doctor;

import io.tesserafs.fabric.verbs.rdmacore.DeviceSurvey;
import io.tesserafs.node.host.Host;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/** The whole examination: of the host, then of each node. Checks run side by side, so that it takes as long as the slowest of them. */
public final class Doctor {
    /** A check and the node it is for. */
    private record Task(Check check, @Nullable Integer node) {}

    private final List<Task> tasks = new ArrayList<>();

    /** @param subjects the nodes of this host that are known; may be empty */
    public Doctor(Host host, List<Subject> subjects) {
        boolean rdma = subjects.stream().anyMatch(Subject::wantsRdma);
        forHost(new JavaCheck());
        forHost(new FuseCheck(host, FuseCheck::tryToOpen));
        if (subjects.stream().noneMatch(Subject::runs)) {
            forHost(new LimitsCheck(host, "self", rdma));
        }
        forHost(new MemoryCheck(host));
        forHost(new PersistentMemoryCheck(host));
        forHost(new RdmaCheck(host, DeviceSurvey::all, rdma));
        forHost(new ClockCheck(host, ClockNative::state));
        Set<String> dormant = dormantServers(subjects);
        for (Subject subject : subjects) {
            forNode(subject, new StateCheck(subject));
            if (subject.runs()) {
                forNode(
                        subject,
                        new LimitsCheck(host, Long.toString(subject.pid().getAsLong()), subject.wantsRdma()));
            }
            forNode(subject, new PoolCheck(host, subject, PoolCheck::mapSynchronously));
            if (subject.wantsRdma()) {
                forNode(
                        subject,
                        new RdmaAddressCheck(
                                host, subject.config().fabric().rdma().orElseThrow()));
                forNode(
                        subject,
                        new RdmaBindingCheck(
                                host,
                                subject.config().fabric().verbs().binding(),
                                System.getProperty("java.library.path", "")));
            }
            forNode(subject, new SecretCheck(subject));
            forNode(subject, new PortsCheck(subject));
            forNode(subject, new ClusterCheck(subject, dormant));
        }
    }

    /** ZooKeeper servers that nodes of this host run themselves and that are down because their nodes are: nothing is wrong with them. */
    private static Set<String> dormantServers(List<Subject> subjects) {
        Set<String> servers = new HashSet<>();
        for (Subject subject : subjects) {
            if (!subject.hasEnsemble() && !subject.runs()) {
                servers.add("127.0.0.1:" + subject.config().coordination().port());
            }
        }
        return servers;
    }

    private void forHost(Check check) {
        tasks.add(new Task(check, null));
    }

    private void forNode(Subject subject, Check check) {
        tasks.add(new Task(check, subject.node()));
    }

    /** All findings, in an order that is always the same. */
    public List<Finding> examine() {
        List<Future<List<Finding>>> running;
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            running = tasks.stream()
                    .map(task -> threads.submit(() -> examine(task)))
                    .toList();
        }
        return running.stream().map(Future::resultNow).flatMap(List::stream).toList();
    }

    private static List<Finding> examine(Task task) {
        Report report = new Report(task.check.part(), task.node);
        try {
            task.check.examine(report);
        } catch (IOException e) {
            report.warn(
                    "unknown", "cannot be examined: " + e.getMessage(), "run this as the daemon's user, or as root");
        }
        return report.findings();
    }
}
