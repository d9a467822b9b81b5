package io.tesserafs.fuse.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import io.tesserafs.fuse.Errno;
import io.tesserafs.fuse.Request;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Garbage from a broken kernel: no crash, one answer each. Run again with -Dtests.seed=N. */
class FuzzTest {
    private static final int ROUNDS = 30_000;
    private static final Logger PACKAGE_LOG = Logger.getLogger(FuzzTest.class.getPackageName());

    private final long seed = Long.getLong("tests.seed", System.nanoTime());
    private final Random random = new Random(seed);
    private final Kernel kernel = new Kernel();

    FuzzTest() {
        PACKAGE_LOG.setLevel(Level.OFF);
    }

    @AfterEach
    void release() {
        PACKAGE_LOG.setLevel(null);
        kernel.close();
    }

    @Test
    void shouldAnswerGarbageExactlyOnce() {
        kernel.behaviour = this::behaveAnyhow;
        for (int round = 0; round < ROUNDS; round++) {
            byte[] request = garbage();
            ByteBuffer view = ByteBuffer.wrap(request).order(ByteOrder.nativeOrder());
            int opcode = view.getInt(HeaderLayout.IN_OPCODE);
            List<byte[]> answers = kernel.serve(request);
            if (opcode == Opcode.FORGET || opcode == Opcode.BATCH_FORGET) {
                assertThat(answers).as("seed %d, round %d", seed, round).isEmpty();
            } else if (opcode == Opcode.INTERRUPT) {
                assertThat(answers.size()).as("seed %d, round %d", seed, round).isLessThanOrEqualTo(1);
            } else {
                assertThat(answers).as("seed %d, round %d", seed, round).hasSize(1);
                checkForm(answers.getFirst(), view.getLong(HeaderLayout.IN_UNIQUE), round);
            }
        }
        assertThat(kernel.connection.detachedCount()).isZero();
    }

    private void checkForm(byte[] answer, long unique, int round) {
        ByteBuffer view = ByteBuffer.wrap(answer).order(ByteOrder.nativeOrder());
        assertThat(view.getInt(HeaderLayout.OUT_LEN))
                .as("seed %d, round %d", seed, round)
                .isEqualTo(answer.length);
        assertThat(view.getLong(HeaderLayout.OUT_UNIQUE))
                .as("seed %d, round %d", seed, round)
                .isEqualTo(unique);
        assertThat(-view.getInt(HeaderLayout.OUT_ERROR))
                .as("seed %d, round %d", seed, round)
                .isBetween(0, 511);
    }

    /** Answers, forgets to, throws, or detaches first: all at random. */
    private void behaveAnyhow(Request rq) {
        boolean detach = random.nextInt(3) == 0;
        if (detach) {
            rq.detach();
        }
        switch (random.nextInt(6)) {
            case 0 -> rq.replyOk();
            case 1 -> rq.replyError(Errno.EACCES);
            case 2 -> rq.replyBytes(new byte[random.nextInt(10_000)]);
            case 3 -> {
                rq.addZeros(random.nextInt(100));
                rq.replyData();
            }
            case 4 -> throw new IllegalStateException("at random");
            default -> {
                if (detach) {
                    rq.replyWritten(1);
                }
            }
        }
    }

    private byte[] garbage() {
        int opcode = random.nextInt(10) == 0 ? random.nextInt() : random.nextInt(Opcode.COUNT + 2);
        int length = HeaderLayout.IN_LENGTH + (random.nextBoolean() ? random.nextInt(120) : random.nextInt(5000));
        byte[] bytes = new byte[length];
        switch (random.nextInt(3)) {
            case 0 -> random.nextBytes(bytes);
            case 1 -> {
                // Mostly zeros, small numbers here and there: gets past more checks than noise.
                for (int i = 0; i < 20; i++) {
                    bytes[random.nextInt(length)] = (byte) random.nextInt(128);
                }
            }
            default -> Arrays.fill(bytes, (byte) -1);
        }
        ByteBuffer view = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
        view.putInt(HeaderLayout.IN_LEN, random.nextInt(20) == 0 ? random.nextInt() : length);
        view.putInt(HeaderLayout.IN_OPCODE, opcode);
        view.putLong(HeaderLayout.IN_NODEID, random.nextInt(3));
        return bytes;
    }
}
