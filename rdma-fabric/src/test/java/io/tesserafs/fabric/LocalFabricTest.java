package io.tesserafs.fabric;

import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.Provider;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class LocalFabricTest extends BatchContract {
    private final LocalFabric fabric = new LocalFabric();

    @BeforeEach
    void startBrick() {
        fabric.attach(brick);
    }

    @AfterEach
    void stopBrick() {
        fabric.detach(brick);
    }

    @Override
    Fabric fabric() {
        return fabric;
    }

    @Override
    Provider provider() {
        return Provider.LOCAL;
    }

    @Test
    void shouldNotReachADetachedOrClosedBrick() throws Exception {
        var client = fabric.connect(ID, SESSION);
        brick.close();
        refused(BrickException.Reason.UNREACHABLE, () -> client.alloc(block(1)));
        fabric.detach(brick);
        refused(BrickException.Reason.UNREACHABLE, () -> fabric.connect(ID, SESSION));
    }
}
