package lab;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ArgumentConfig;
import org.apache.dubbo.config.MethodConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.rpc.RpcContext;

/**
 * Serves {@link Shop}: `lab.Server PORT PROTOCOL SERIALIZATION`, where PROTOCOL is `dubbo` or `tri`.
 * Says `ready` once it listens, and serves until its standard input ends.
 */
public final class Server {
    public static void main(String[] arguments) throws Exception {
        ProtocolConfig protocol = new ProtocolConfig();
        protocol.setName(arguments[1]);
        protocol.setHost("0.0.0.0");
        protocol.setPort(Integer.parseInt(arguments[0]));
        protocol.setSerialization(arguments[2]);
        protocol.setPayload(64 << 20);
        ApplicationConfig application = new ApplicationConfig("shop-server");
        application.setQosEnable(false);
        MethodConfig subscribe = new MethodConfig();
        subscribe.setName("subscribe");
        ArgumentConfig listener = new ArgumentConfig();
        listener.setIndex(1);
        listener.setCallback(true);
        subscribe.setArguments(Collections.singletonList(listener));
        ServiceConfig<Shop> service = new ServiceConfig<>();
        service.setApplication(application);
        service.setRegistry(new RegistryConfig(RegistryConfig.NO_AVAILABLE));
        service.setProtocol(protocol);
        service.setInterface(Shop.class);
        service.setVersion("1.2");
        service.setGroup("blue");
        if (!arguments[1].equals("tri")) {
            service.setMethods(Collections.singletonList(subscribe));
        }
        service.setRef(new Counter());
        service.export();
        System.out.println("ready");
        while (System.in.read() >= 0) {
            // Waits for the end.
        }
        System.exit(0);
    }

    private static final class Counter implements Shop {
        @Override
        public String price(String item) {
            RpcContext.getServerContext().setAttachment("x-server-id", "served-" + item);
            return item + ": 12.50";
        }

        @Override
        public Order order(Order order) {
            return order;
        }

        @Override
        public String nothing(int number, long big, double fraction, boolean flag) {
            return null;
        }

        @Override
        public String fail(String why) {
            Sold sold = new Sold("sold out: " + why, 3);
            // Dozens of calls within Dubbo say nothing of the service.
            sold.setStackTrace(new StackTraceElement[0]);
            throw sold;
        }

        @Override
        public String slow(int millis) {
            try {
                Thread.sleep(millis);
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
            return "slept";
        }

        @Override
        public void note(String text) {
        }

        @Override
        public byte[] echo(byte[] bytes, String text) {
            return bytes;
        }

        @Override
        public List<Map<String, Object>> mixed(List<Object> list, Map<String, Object> map,
                int[] numbers, String[] words, Date date, Color color) {
            Map<String, Object> answer = new HashMap<>(map);
            answer.put("color", color.name());
            List<Map<String, Object>> answers = new ArrayList<>();
            answers.add(answer);
            return answers;
        }

        @Override
        public void subscribe(String key, Listener listener) {
            listener.changed(key + " changed");
        }
    }

    private Server() {
    }
}
