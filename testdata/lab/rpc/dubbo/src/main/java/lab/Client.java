package lab;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.MethodConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.rpc.RpcContext;
import org.apache.dubbo.rpc.RpcException;
import org.apache.dubbo.rpc.service.GenericService;

/**
 * Calls {@link Shop} and writes a line of JSON for each call to standard output:
 * `lab.Client HOST PORT PROTOCOL SERIALIZATION KIND COUNT THREADS`. KIND is one method of the
 * service, `each` for one call of each, `generic`, `missing`, or `load` for calls of `price` and
 * `order`. Times are nanoseconds since 1970; `outcome` is `ok`, `exception` (the application's),
 * `timeout` or `error`.
 */
public final class Client {
    private static final String[] EACH = {
        "price", "order", "nothing", "fail", "note", "echo", "mixed", "subscribe", "slow",
        "generic", "missing",
    };

    private final Shop shop;
    private final GenericService generic;
    private final GenericService missing;

    private Client(String[] arguments) {
        String url = arguments[2] + "://" + arguments[0] + ":" + arguments[1];
        String options = "?serialization=" + arguments[3] + "&prefer.serialization=" + arguments[3]
                + "&payload=67108864&heartbeat=" + System.getProperty("heartbeat", "60000");
        String service = url + "/lab.Shop" + options
                + "&version=1.2&group=blue&subscribe.1.callback=true";
        boolean isDubbo = arguments[2].equals("dubbo");
        shop = reference(Shop.class, service, false, isDubbo);
        generic = isDubbo ? reference(GenericService.class, service, true, false) : null;
        missing = isDubbo ? reference(GenericService.class, url + "/lab.Nowhere" + options, true, false) : null;
    }

    private static <T> T reference(Class<T> type, String url, boolean isGeneric, boolean isDubbo) {
        ApplicationConfig application = new ApplicationConfig("shop-client");
        application.setQosEnable(false);
        ReferenceConfig<T> reference = new ReferenceConfig<>();
        reference.setApplication(application);
        reference.setUrl(url);
        reference.setTimeout(2000);
        reference.setRetries(0);
        reference.setCheck(false);
        if (isGeneric) {
            reference.setGeneric("true");
            reference.setInterface(url.contains("Nowhere") ? "lab.Nowhere" : "lab.Shop");
        } else {
            reference.setInterface(type);
        }
        if (!url.contains("Nowhere")) {
            reference.setVersion("1.2");
            reference.setGroup("blue");
        }
        if (isDubbo) {
            MethodConfig note = new MethodConfig();
            note.setName("note");
            note.setReturn(false);
            MethodConfig slow = new MethodConfig();
            slow.setName("slow");
            slow.setTimeout(100);
            reference.setMethods(Arrays.asList(note, slow));
        }
        return reference.get();
    }

    public static void main(String[] arguments) throws Exception {
        Client client = new Client(arguments);
        String kind = arguments[4];
        int count = Integer.parseInt(arguments[5]);
        ExecutorService threads = Executors.newFixedThreadPool(Integer.parseInt(arguments[6]));
        List<Future<?>> calls = new ArrayList<>();
        for (int number = 0; number < count; number++) {
            for (String name : kind.equals("each") ? EACH : new String[] {kind}) {
                int which = number;
                calls.add(threads.submit(() -> client.call(name, which)));
            }
        }
        for (Future<?> call : calls) {
            call.get();
        }
        threads.shutdown();
        Thread.sleep(Long.getLong("linger", 500));
        System.exit(0);
    }

    private void call(String kind, int number) {
        String trace = hex(2);
        String span = hex(1);
        RpcContext context = RpcContext.getContext();
        context.setAttachment("traceparent", "00-" + trace + "-" + span + "-01");
        context.setAttachment("sw8", "1-" + base64(trace) + "-" + base64(span) + "-3-"
                + base64("shop-client") + "-" + base64("client-1") + "-" + base64("/" + kind) + "-"
                + base64("127.0.0.1:20880"));
        String method = kind.equals("load") ? (number % 2 == 0 ? "price" : "order") : kind;
        String called = switch (method) {
            case "generic" -> "price";
            case "missing" -> "find";
            default -> method;
        };
        long begin = now();
        String outcome = "ok";
        String error = "";
        try {
            perform(method, number).call();
        } catch (RpcException failed) {
            outcome = failed.isTimeout() ? "timeout" : "error";
            error = failed.getClass().getName();
        } catch (Exception failed) {
            outcome = "exception";
            error = failed.getClass().getName();
        }
        long end = now();
        String service = method.equals("missing") ? "lab.Nowhere" : "lab.Shop";
        synchronized (System.out) {
            System.out.println("{\"begin\":" + begin + ",\"end\":" + end + ",\"service\":\""
                    + service + "\",\"method\":\"" + called + "\",\"kind\":\"" + kind
                    + "\",\"outcome\":\"" + outcome + "\",\"error\":\"" + error + "\",\"trace\":\""
                    + trace + "\",\"span\":\"" + span + "\"}");
        }
    }

    private Callable<Object> perform(String method, int number) {
        return switch (method) {
            case "price" -> () -> shop.price("tea-" + number);
            case "order" -> () -> shop.order(order(number));
            case "nothing" -> () -> shop.nothing(-7, 1L << 40, 2.5, true);
            case "fail" -> () -> shop.fail("number " + number);
            case "slow" -> () -> shop.slow(400);
            case "note" -> () -> {
                shop.note("a note, \u00fcber \u4ef7\u683c \ud83d\ude00");
                return null;
            };
            case "echo" -> () -> shop.echo(new byte[200_000], "x\ud83d\ude00".repeat(20_000));
            case "mixed" -> () -> shop.mixed(Arrays.asList(1, "two", 3.0, null, 5L, true),
                    new HashMap<>(Map.of("a", 1, "b", "text")), new int[] {1, -200, 70_000},
                    new String[] {"x", "y"}, new Date(), Shop.Color.GREEN);
            case "subscribe" -> () -> {
                shop.subscribe("k" + number, text -> { });
                return null;
            };
            case "generic" -> () -> generic.$invoke("price", new String[] {"java.lang.String"},
                    new Object[] {"tea"});
            case "missing" -> () -> missing.$invoke("find", new String[] {"int"}, new Object[] {1});
            default -> throw new IllegalArgumentException(method);
        };
    }

    private static Shop.Order order(int number) {
        Shop.Order part = new Shop.Order();
        part.id = "part-" + number;
        Shop.Order order = new Shop.Order();
        order.id = "order-" + number;
        order.total = 123_456_789_012L + number;
        order.weight = 0.1;
        order.parent = order;
        order.parts = new ArrayList<>(Arrays.asList(part, part));
        order.counts = new HashMap<>(Collections.singletonMap("tea", 3));
        order.when = new Date();
        order.color = Shop.Color.RED;
        order.seal = new byte[20];
        return order;
    }

    private static String hex(int words) {
        StringBuilder digits = new StringBuilder();
        for (int word = 0; word < words; word++) {
            digits.append(String.format("%016x", ThreadLocalRandom.current().nextLong() | 1));
        }
        return digits.toString();
    }

    private static String base64(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes());
    }

    private static long now() {
        java.time.Instant instant = java.time.Instant.now();
        return instant.getEpochSecond() * 1_000_000_000L + instant.getNano();
    }
}
