package shop;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.dubbo.common.constants.CommonConstants;
import org.apache.dubbo.common.extension.Activate;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.rpc.Filter;
import org.apache.dubbo.rpc.Invocation;
import org.apache.dubbo.rpc.Invoker;
import org.apache.dubbo.rpc.Result;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Profile;
import org.springframework.web.server.ResponseStatusException;
import shop.api.ItemService;
import shop.api.OrderService;
import shop.api.Refused;
import shop.api.UserService;
import shop.marks.Caller;

/** Asks other services over Dubbo, and serves them: with known addresses, so without a registry. */
@Configuration
@ConditionalOnProperty(name = "shop.calls", havingValue = "dubbo")
class OverDubbo {
    private static final String SERIALIZATION = "hessian2";
    private static final String MARK = "x-lab";
    private static final int PATIENCE_MS = 10_000;

    private final ApplicationConfig application;
    private final Addresses addresses;

    OverDubbo(Addresses addresses, @Value("${spring.profiles.active}") String name) {
        this.addresses = addresses;
        application = new ApplicationConfig(name);
        application.setQosEnable(false);
        application.setEnableFileCache(false);
    }

    // What this process asks of others.

    @Bean
    @Profile("orders")
    UserService userService() {
        return at(addresses.users(), UserService.class);
    }

    @Bean
    @Profile("orders")
    ItemService itemService() {
        return at(addresses.items(), ItemService.class);
    }

    @Bean
    @Profile("users")
    OrderService orderService() {
        return at(addresses.orders(), OrderService.class);
    }

    private <T> T at(String address, Class<T> type) {
        var reference = new ReferenceConfig<T>();
        reference.setApplication(application);
        reference.setInterface(type);
        reference.setUrl(address + "/" + type.getName() + "?serialization=" + SERIALIZATION
                + "&prefer.serialization=" + SERIALIZATION);
        reference.setTimeout(PATIENCE_MS);
        // What is sent again is decided elsewhere, and the other side may start later.
        reference.setRetries(0);
        reference.setCheck(false);
        reference.setLazy(true);
        return reference.get();
    }

    // What it serves.

    @Bean
    @Profile("users")
    ServiceConfig<UserService> servedUsers(Users users) {
        return served(addresses.users(), UserService.class, new UserService() {
            @Override
            public Map<String, Object> token(String token) {
                return answered(() -> {
                    var answer = users.token(token);
                    if (answer.getBody() == null) {
                        throw new Refused(answer.getStatusCode().value());
                    }
                    return plain(answer.getBody());
                });
            }

            @Override
            public Map<String, Object> name(int user) {
                return answered(() -> plain(users.name(user)));
            }

            @Override
            public Map<String, Object> points(int user, String reference, int points) {
                return answered(() -> plain(users.points(user, new Users.Points(reference, points))));
            }
        });
    }

    @Bean
    @Profile("items")
    ServiceConfig<ItemService> servedItems(Items items, ObjectMapper json) {
        return served(addresses.items(), ItemService.class, new ItemService() {
            @Override
            @SuppressWarnings("unchecked")
            public Map<String, Object> item(int id) {
                return answered(() -> {
                    try {
                        return json.readValue(items.item(id), HashMap.class);
                    } catch (JsonProcessingException error) {
                        throw new IllegalStateException(error);
                    }
                });
            }

            @Override
            public Map<String, Object> reserve(int id, Wanted wanted) {
                return answered(() -> plain(items.reserve(id, wanted)));
            }
        });
    }

    @Bean
    @Profile("orders")
    ServiceConfig<OrderService> servedOrders(Orders orders) {
        return served(addresses.orders(), OrderService.class, user -> answered(() -> {
            List<Map<String, Object>> found = new ArrayList<>();
            orders.recent(user).forEach(order -> found.add(plain(order)));
            return found;
        }));
    }

    private <T> ServiceConfig<T> served(String address, Class<T> type, T by) {
        var place = URI.create(address);
        var protocol = new ProtocolConfig("dubbo", place.getPort());
        protocol.setHost(place.getHost());
        protocol.setSerialization(SERIALIZATION);
        protocol.setPreferSerialization(SERIALIZATION);
        var service = new ServiceConfig<T>();
        service.setApplication(application);
        service.setRegistry(new RegistryConfig(RegistryConfig.NO_AVAILABLE));
        service.setProtocol(protocol);
        service.setInterface(type);
        service.setRef(by);
        service.export();
        return service;
    }

    /** A map of a class that every program has. */
    private static Map<String, Object> plain(Map<String, Object> map) {
        return new HashMap<>(map);
    }

    private static <T> T answered(Supplier<T> call) {
        try {
            return call.get();
        } catch (ResponseStatusException refused) {
            throw new Refused(refused.getStatusCode().value());
        }
    }

    /** Gives a call its mark and its identifiers. */
    @Activate(group = CommonConstants.CONSUMER)
    public static final class Calling implements Filter {
        @Override
        public Result invoke(Invoker<?> service, Invocation call) {
            call.setAttachment(MARK, Caller.current().next());
            Identifiers.passOn(call::setAttachment, service.getUrl().getAddress());
            return service.invoke(call);
        }
    }

    /** Reads the mark of a call and its identifiers. */
    @Activate(group = CommonConstants.PROVIDER)
    public static final class Called implements Filter {
        @Override
        public Result invoke(Invoker<?> service, Invocation call) {
            Caller.enter(call.getAttachment(MARK));
            Identifiers.enter(call::getAttachment, service.getInterface().getName() + "." + call.getMethodName());
            try {
                return service.invoke(call);
            } finally {
                Identifiers.leave();
                Caller.leave();
            }
        }
    }
}
