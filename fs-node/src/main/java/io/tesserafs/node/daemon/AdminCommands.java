package io.tesserafs.node.daemon;

import io.tesserafs.node.admin.AdminHandler;
import io.tesserafs.node.metrics.NodeMetrics;
import java.util.Map;

final class AdminCommands {
    private final NodeDaemon d;

    AdminCommands(NodeDaemon d, NodeServices s, NodeMetrics m) {
        this.d = d;
    }

    Map<String, AdminHandler> handlers() {
        return Map.of("ping", a -> Map.of("state", d.state().label()), "shutdown", a -> {
            d.requestStop();
            return Map.of();
        });
    }
}
