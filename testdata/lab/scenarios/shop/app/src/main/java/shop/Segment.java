package shop;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What SkyWalking's agent calls so: the part of a trace that one thread of one process does. A call that
 * it makes carries the trace, this segment, and the number of the span in it, from 1; 0 is what was asked.
 */
final class Segment {
    private static final String INSTANCE = hexadecimal();
    private static final String SERVICE = System.getProperty("lab.service", "shop");
    private static final AtomicLong COUNT = new AtomicLong();

    /** In base64, as it goes on. */
    private final String trace;
    private final String operation;
    private final String id = "%s.%d.%d".formatted(INSTANCE, Thread.currentThread().getId(), COUNT.incrementAndGet());
    private final AtomicInteger spans = new AtomicInteger();

    private Segment(String trace, String operation) {
        this.trace = trace;
        this.operation = operation;
    }

    /** For a request with this field; its second part, between dashes, is the trace. */
    static Segment below(String sw8, String operation) {
        return new Segment(sw8.split("-")[1], operation);
    }

    Segment inAnotherThread() {
        return new Segment(trace, operation);
    }

    /** The field for the next call, of the service at `peer`. */
    String next(String peer) {
        return String.join("-", "1", trace, base64(id), String.valueOf(spans.incrementAndGet()), base64(SERVICE),
                base64(INSTANCE + "@" + SERVICE), base64(operation), base64(peer));
    }

    private static String base64(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String hexadecimal() {
        return UUID.randomUUID().toString().replace("-", "");
    }
}
