package shop.marks;

import java.util.concurrent.atomic.AtomicInteger;

/** The request that a thread works for: its mark, from which its calls get theirs. */
public final class Caller {
    private static final ThreadLocal<Caller> CURRENT = new ThreadLocal<>();
    private static final int LEVELS = 5;
    /** What a service does by itself counts from here; the marks of each process begin with another number. */
    private static final AtomicInteger OF_ITS_OWN =
            new AtomicInteger(0xf0000000 | Integer.getInteger("lab.process", 0) << 20);

    private final String known;
    private final AtomicInteger calls = new AtomicInteger();

    public Caller(String mark) {
        String places = mark;
        while (places.length() > 12 && places.endsWith("0000")) {
            places = places.substring(0, places.length() - 4);
        }
        known = places;
    }

    /** Who is served in this thread; what nobody asked for has a caller of its own. */
    public static Caller current() {
        Caller caller = CURRENT.get();
        return caller != null ? caller : new Caller("labm%08x".formatted(OF_ITS_OWN.incrementAndGet()));
    }

    public static void enter(String mark) {
        CURRENT.set(mark == null ? null : new Caller(mark));
    }

    public static void leave() {
        CURRENT.remove();
    }

    /** The task, for the caller of the thread that hands it to another. */
    public static Runnable handing(Runnable task) {
        Caller caller = CURRENT.get();
        return () -> {
            CURRENT.set(caller);
            try {
                task.run();
            } finally {
                CURRENT.remove();
            }
        };
    }

    /** The mark of its next call. */
    public String next() {
        StringBuilder mark = new StringBuilder(known).append("%04x".formatted(calls.incrementAndGet()));
        while (mark.length() < 12 + 4 * LEVELS) {
            mark.append("0000");
        }
        return mark.toString();
    }
}
