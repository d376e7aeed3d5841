package shop;

import java.util.Random;

/** Work of random length: log-normal, with a median of 28 ms. */
final class Work {
    private static final double MEDIAN = 28;
    private static final double SPREAD = 0.6;
    private static final Random RANDOM = new Random(Long.getLong("lab.seed", 1));

    private Work() {
    }

    static void some() {
        double milliseconds = MEDIAN * Math.exp(SPREAD * RANDOM.nextGaussian());
        try {
            Thread.sleep(Math.round(Math.max(5, Math.min(60, milliseconds))));
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    static boolean happens(double probability) {
        return RANDOM.nextDouble() < probability;
    }
}
