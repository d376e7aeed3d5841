package lab;

import com.alipay.sofa.rpc.api.GenericService;
import com.alipay.sofa.rpc.config.ApplicationConfig;
import com.alipay.sofa.rpc.config.ConsumerConfig;
import com.alipay.sofa.rpc.config.MethodConfig;
import com.alipay.sofa.rpc.core.exception.SofaRpcException;
import com.alipay.sofa.rpc.core.exception.SofaTimeOutException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Calls {@link Shop} and writes a line of JSON for each call to standard output:
 * `lab.Client HOST PORT KIND COUNT THREADS`. KIND is `each` for one call of each sort, or `load` for
 * calls of `find` and `total`. Times are nanoseconds since 1970; `outcome` is `ok`, `exception` (the
 * application's), `timeout` or `error`.
 */
public final class Client {
    private final Shop shop;
    private final GenericService missing;

    private Client(String host, String port) {
        String url = "bolt://" + host + ":" + port;
        MethodConfig note = new MethodConfig().setName("note").setInvokeType("oneway");
        MethodConfig slow = new MethodConfig().setName("slow").setTimeout(100);
        shop = new ConsumerConfig<Shop>().setApplication(new ApplicationConfig().setAppName("client"))
                .setInterfaceId(Shop.class.getName()).setProtocol("bolt").setRegister(false)
                .setTimeout(5000).setDirectUrl(url).setMethods(List.of(note, slow)).refer();
        missing = new ConsumerConfig<GenericService>().setInterfaceId("lab.Nowhere").setGeneric(true)
                .setProtocol("bolt").setRegister(false).setTimeout(5000).setDirectUrl(url).refer();
    }

    public static void main(String[] arguments) throws Exception {
        Client client = new Client(arguments[0], arguments[1]);
        int count = Integer.parseInt(arguments[3]);
        ExecutorService threads = Executors.newFixedThreadPool(Integer.parseInt(arguments[4]));
        List<Future<?>> calls = new ArrayList<>();
        for (int number = 0; number < count; number++) {
            int which = number;
            if (arguments[2].equals("load")) {
                calls.add(threads.submit(() -> client.one(which)));
            } else {
                calls.add(threads.submit(client::each));
            }
        }
        for (Future<?> call : calls) {
            call.get();
        }
        // A call that timed out is answered all the same.
        Thread.sleep(Long.getLong("linger", 600));
        System.exit(0);
    }

    private void one(int number) {
        if (number % 2 == 0) {
            call("lab.Shop", "find", () -> shop.find("tea-" + number));
        } else {
            call("lab.Shop", "total", () -> shop.total(items(number % 7)));
        }
    }

    private void each() {
        call("lab.Shop", "find", () -> shop.find("tea"));
        call("lab.Shop", "find", () -> shop.find("nothing, \u00fcber \u4ef7\u683c"));
        call("lab.Shop", "total", () -> shop.total(items(3)));
        call("lab.Shop", "big", () -> shop.big(300_000));
        call("lab.Shop", "nothing", () -> {
            shop.nothing();
            return null;
        });
        call("lab.Shop", "note", () -> {
            shop.note("a note");
            return null;
        });
        call("lab.Shop", "crash", () -> shop.crash("here"));
        call("lab.Shop", "slow", () -> shop.slow(300));
        call("lab.Nowhere", "find", () -> missing.$invoke("find", new String[] {"java.lang.String"}, new Object[] {"x"}));
    }

    private static List<Shop.Item> items(int count) {
        List<Shop.Item> items = new ArrayList<>();
        for (int number = 0; number < count; number++) {
            Shop.Item item = new Shop.Item();
            item.name = "item " + number;
            item.price = number * 100L;
            item.stock = Map.of();
            items.add(item);
        }
        return items;
    }

    private static void call(String service, String method, Callable<Object> what) {
        long begin = now();
        String outcome = "ok";
        String error = "";
        try {
            what.call();
        } catch (SofaTimeOutException failed) {
            outcome = "timeout";
            error = failed.getClass().getName();
        } catch (SofaRpcException failed) {
            outcome = "error";
            error = failed.getClass().getName();
        } catch (Exception failed) {
            outcome = "exception";
            error = failed.getClass().getName();
        }
        long end = now();
        synchronized (System.out) {
            System.out.println("{\"protocol\":\"bolt\",\"begin\":" + begin + ",\"end\":" + end + ",\"service\":\"" + service
                    + "\",\"method\":\"" + method + "\",\"one_way\":" + method.equals("note")
                    + ",\"outcome\":\"" + outcome + "\",\"error\":\"" + error + "\"}");
        }
    }

    private static long now() {
        java.time.Instant now = java.time.Instant.now();
        return now.getEpochSecond() * 1_000_000_000L + now.getNano();
    }
}
