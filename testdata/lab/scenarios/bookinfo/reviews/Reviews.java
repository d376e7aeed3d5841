import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The reviews of a book. $VERSION 1 gives no stars; 2 asks $RATINGS for them; 3 asks for their average at once.
 * Takes 5 to 60 ms; one request in 30 finds it busy, one in 400 (version 3) takes too long.
 */
public class Reviews {
    static final int VERSION = Integer.parseInt(System.getenv("VERSION"));
    static final String RATINGS = System.getenv("RATINGS");
    static final String[] PASS = System.getenv("PASS").isEmpty() ? new String[0] : System.getenv("PASS").split(" ");
    static final String[] TEXTS = {"An extremely entertaining play.", "Absolutely fun and entertaining.", "Too many twins."};
    static final Pattern STARS = Pattern.compile("\"stars\":(\\d)");
    static final Random RANDOM = new Random(Integer.parseInt(System.getenv("SEED")));
    static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    public static void main(String[] arguments) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 9080), 128);
        server.setExecutor(Executors.newFixedThreadPool(64));
        server.createContext("/reviews/", Reviews::serve);
        server.start();
    }

    static void serve(HttpExchange exchange) throws IOException {
        try (exchange) {
            work();
            String product = exchange.getRequestURI().getPath().substring("/reviews/".length());
            if (RANDOM.nextInt(30) == 0) {
                answer(exchange, 503, "{\"error\":\"busy\"}");
                return;
            }
            if (VERSION == 3 && RANDOM.nextInt(400) == 0) {
                sleep(3000);
            }
            String ratings = VERSION == 1 ? "" : ratings(exchange, product);
            Matcher stars = STARS.matcher(ratings);
            StringBuilder reviews = new StringBuilder();
            for (int number = 0; number < 2; number++) {
                reviews.append(number == 0 ? "" : ",")
                    .append("{\"reviewer\":\"Reviewer").append(number + 1).append("\",\"text\":\"")
                    .append(TEXTS[(product.hashCode() + number) % TEXTS.length]).append('"')
                    .append(stars.find() ? ",\"stars\":" + stars.group(1) : "").append('}');
            }
            answer(exchange, 200, "{\"id\":\"" + product + "\",\"version\":" + VERSION + ",\"reviews\":[" + reviews + "]}");
        }
    }

    /** What ratings answers, and in version 3 the average, which is asked for at the same time. */
    static String ratings(HttpExchange exchange, String product) {
        CompletableFuture<String> stars = ask(exchange, 1, "/ratings/" + product);
        if (VERSION == 3) {
            CompletableFuture<String> average = ask(exchange, 2, "/ratings/" + product + "/average");
            return stars.join() + average.join();
        }
        return stars.join();
    }

    static CompletableFuture<String> ask(HttpExchange exchange, int place, String path) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(RATINGS + path))
            .header("X-Lab", child(exchange.getRequestHeaders().getFirst("X-Lab"), place));
        for (String name : PASS) {
            String value = exchange.getRequestHeaders().getFirst(name);
            if (value != null) {
                request.header(name, value);
            }
        }
        return CLIENT.sendAsync(request.build(), HttpResponse.BodyHandlers.ofString())
            .handle((answer, error) -> error == null && answer.statusCode() == 200 ? answer.body() : "");
    }

    /** The mark of the call at a place, of those that are made for a request with this mark (harness/marks.py). */
    static String child(String mark, int place) {
        int level = 12;
        while (!mark.startsWith("0000", level)) {
            level += 4;
        }
        return mark.substring(0, level) + String.format("%04x", place) + mark.substring(level + 4);
    }

    static void answer(HttpExchange exchange, int status, String body) throws IOException {
        byte[] content = body.getBytes();
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, content.length);
        exchange.getResponseBody().write(content);
    }

    static void work() {
        sleep((long) Math.min(60, Math.max(5, Math.exp(2.7 + 0.6 * RANDOM.nextGaussian()))));
    }

    static void sleep(long milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
