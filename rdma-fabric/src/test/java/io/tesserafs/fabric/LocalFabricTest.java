package io.tesserafs.fabric;

import io.tesserafs.fabric.brick.BrickException;
import io.tesserafs.fabric.brick.BrickId;
import io.tesserafs.fabric.brick.LocalBrick;
import io.tesserafs.fabric.brick.Provider;
import io.tesserafs.fabric.pmem.Pool;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LocalFabricTest extends BrickContract {
    private static final BrickId ID = new BrickId(7);

    @TempDir
    Path directory;

    private final LocalFabric fabric = new LocalFabric();
    private LocalBrick brick;

    Path poolDirectory() {
        return directory;
    }

    @BeforeEach
    void startBrick() throws Exception {
        Path path = poolDirectory().resolve("pool");
        Pool.create(path, Pool.MIN_BYTES, "test", ID.value());
        brick = LocalBrick.open(Pool.open(path));
        fabric.attach(brick);
    }

    @AfterEach
    void stopBrick() throws Exception {
        fabric.detach(brick);
        brick.close();
    }

    @Override
    Fabric fabric() {
        return fabric;
    }

    @Override
    BrickId brickId() {
        return ID;
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
