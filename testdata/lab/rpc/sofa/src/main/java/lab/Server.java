package lab;

import com.alipay.sofa.rpc.config.ApplicationConfig;
import com.alipay.sofa.rpc.config.ConsumerConfig;
import com.alipay.sofa.rpc.config.ProviderConfig;
import com.alipay.sofa.rpc.config.ServerConfig;
import java.util.List;
import java.util.Map;

/**
 * Serves {@link Shop}: `lab.Server PORT [BEHIND]`; what it is asked to find it asks the server BEHIND
 * (HOST:PORT) for, if there is one. It ends when its standard input does.
 */
public final class Server implements Shop {
    private final Shop behind;

    private Server(Shop behind) {
        this.behind = behind;
    }

    public static void main(String[] arguments) throws Exception {
        ApplicationConfig application = new ApplicationConfig().setAppName("shop");
        Shop behind = null;
        if (arguments.length > 1) {
            behind = new ConsumerConfig<Shop>().setApplication(application)
                    .setInterfaceId(Shop.class.getName()).setProtocol("bolt").setRegister(false)
                    .setTimeout(5000).setDirectUrl("bolt://" + arguments[1]).refer();
        }
        ServerConfig server = new ServerConfig().setProtocol("bolt").setHost("0.0.0.0")
                .setPort(Integer.parseInt(arguments[0])).setDaemon(false);
        new ProviderConfig<Shop>().setApplication(application).setInterfaceId(Shop.class.getName())
                .setRef(new Server(behind)).setServer(server).setRegister(false).export();
        System.out.println("ready");
        while (System.in.read() >= 0) {
            // What is said to it does not matter.
        }
        System.exit(0);
    }

    @Override
    public Item find(String name) throws Missing {
        if (behind != null) {
            return behind.find(name);
        }
        if (name.startsWith("no")) {
            throw new Missing("there is no " + name);
        }
        Item item = new Item();
        item.name = name;
        item.price = 1250;
        item.stock = Map.of("north", 3);
        return item;
    }

    @Override
    public long total(List<Item> items) {
        return items.stream().mapToLong(item -> item.price).sum();
    }

    @Override
    public byte[] big(int size) {
        return new byte[size];
    }

    @Override
    public String slow(int milliseconds) throws InterruptedException {
        Thread.sleep(milliseconds);
        return "slept";
    }

    @Override
    public String crash(String text) {
        throw new IllegalStateException("crashed: " + text);
    }

    @Override
    public void note(String text) {
        // Nobody waits for it.
    }

    @Override
    public void nothing() {
        // It only answers.
    }
}
