package shop;

import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.BiConsumer;
import java.util.function.UnaryOperator;
import org.springframework.stereotype.Component;
import org.springframework.web.filter.OncePerRequestFilter;

/** Identifiers that came with a request, and go along with what is called for it, if the lab says so. */
@Component
class Identifiers extends OncePerRequestFilter {
    private static final String MODE = System.getProperty("lab.ids", "none");
    private static final ThreadLocal<Received> CURRENT = ThreadLocal.withInitial(() -> new Received(Map.of(), null));

    /** What came with a request; the segment, where there is one, is what SkyWalking's agent makes of it. */
    private record Received(Map<String, String> fields, Segment segment) {
        Received inAnotherThread() {
            return new Received(fields, segment == null ? null : segment.inAnotherThread());
        }
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        enter(request::getHeader, request.getMethod() + ":" + request.getRequestURI().replaceAll("[0-9]+", "{id}"));
        try {
            chain.doFilter(request, response);
        } finally {
            leave();
        }
    }

    /** This thread works for a request from now on, for the named operation. */
    static void enter(UnaryOperator<String> fields, String operation) {
        Map<String, String> received = new LinkedHashMap<>();
        for (String name : names()) {
            String value = fields.apply(name);
            if (value != null) {
                received.put(name, value);
            }
        }
        String sw8 = received.get("sw8");
        CURRENT.set(new Received(received, sw8 == null ? null : Segment.below(sw8, operation)));
    }

    static void leave() {
        CURRENT.remove();
    }

    private static String[] names() {
        return switch (MODE) {
            case "through" -> new String[] {"X-Request-ID"};
            case "w3c" -> new String[] {"traceparent"};
            case "b3" -> new String[] {"X-B3-TraceId", "X-B3-SpanId"};
            case "sw8" -> new String[] {"sw8"};
            default -> new String[0];
        };
    }

    /** The task, with the identifiers of the thread that hands it to another. */
    static Runnable handing(Runnable task) {
        Received received = CURRENT.get();
        return () -> {
            CURRENT.set(received.inAnotherThread());
            try {
                task.run();
            } finally {
                CURRENT.remove();
            }
        };
    }

    /**
     * Gives a call, of the service at `peer`, what its caller received, with a number of its own where the
     * format has one.
     */
    static void passOn(BiConsumer<String, String> call, String peer) {
        Received received = CURRENT.get();
        String span = "%016x".formatted(ThreadLocalRandom.current().nextLong());
        received.fields.forEach((name, value) -> {
            switch (name) {
                case "traceparent" -> {
                    String[] parts = value.split("-");
                    call.accept(name, String.join("-", parts[0], parts[1], span, parts[3]));
                }
                case "X-B3-SpanId" -> {
                    call.accept(name, span);
                    call.accept("X-B3-ParentSpanId", value);
                    call.accept("X-B3-Sampled", "1");
                }
                case "sw8" -> call.accept(name, received.segment.next(peer));
                default -> call.accept(name, value);
            }
        });
    }
}
