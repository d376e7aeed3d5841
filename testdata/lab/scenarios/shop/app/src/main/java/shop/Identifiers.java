package shop;

import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import org.springframework.http.HttpHeaders;
import org.springframework.stereotype.Component;
import org.springframework.web.filter.OncePerRequestFilter;

/** Identifiers that came with a request, and go along with what is called for it, if the lab says so. */
@Component
class Identifiers extends OncePerRequestFilter {
    private static final String MODE = System.getProperty("lab.ids", "none");
    private static final ThreadLocal<Map<String, String>> CURRENT = ThreadLocal.withInitial(Map::of);

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        Map<String, String> received = new LinkedHashMap<>();
        for (String name : names()) {
            String value = request.getHeader(name);
            if (value != null) {
                received.put(name, value);
            }
        }
        CURRENT.set(received);
        try {
            chain.doFilter(request, response);
        } finally {
            CURRENT.remove();
        }
    }

    private static String[] names() {
        return switch (MODE) {
            case "through" -> new String[] {"X-Request-ID"};
            case "w3c" -> new String[] {"traceparent"};
            case "b3" -> new String[] {"X-B3-TraceId", "X-B3-SpanId"};
            default -> new String[0];
        };
    }

    /** The task, with the identifiers of the thread that hands it to another. */
    static Runnable handing(Runnable task) {
        Map<String, String> received = CURRENT.get();
        return () -> {
            CURRENT.set(received);
            try {
                task.run();
            } finally {
                CURRENT.remove();
            }
        };
    }

    /** Gives a call what its caller received, with a number of its own where the format has one. */
    static void passOn(HttpHeaders headers) {
        Map<String, String> received = CURRENT.get();
        String span = "%016x".formatted(ThreadLocalRandom.current().nextLong());
        received.forEach((name, value) -> {
            switch (name) {
                case "traceparent" -> {
                    String[] parts = value.split("-");
                    headers.set(name, String.join("-", parts[0], parts[1], span, parts[3]));
                }
                case "X-B3-SpanId" -> {
                    headers.set(name, span);
                    headers.set("X-B3-ParentSpanId", value);
                    headers.set("X-B3-Sampled", "1");
                }
                default -> headers.set(name, value);
            }
        });
    }
}
