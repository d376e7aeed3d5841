package shop;

import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.stereotype.Component;
import org.springframework.web.client.HttpStatusCodeException;
import org.springframework.web.client.RestTemplate;
import shop.api.ItemService;
import shop.api.OrderService;
import shop.api.Refused;
import shop.api.UserService;

/** Asks other services over HTTP, of which Java's types know no more than that an object is a map. */
@Component
@ConditionalOnProperty(name = "shop.calls", havingValue = "http")
@SuppressWarnings("unchecked")
class OverHttp implements UserService, ItemService, OrderService {
    private final RestTemplate services;
    private final Addresses addresses;

    OverHttp(RestTemplate services, Addresses addresses) {
        this.services = services;
        this.addresses = addresses;
    }

    @Override
    public Map<String, Object> token(String token) {
        return asked(() -> services.getForObject(addresses.users() + "/tokens/{token}", Map.class, token));
    }

    @Override
    public Map<String, Object> name(int user) {
        return asked(() -> services.getForObject(addresses.users() + "/users/{id}/name", Map.class, user));
    }

    @Override
    public Map<String, Object> points(int user, String reference, int points) {
        var given = Map.of("reference", reference, "points", points);
        return asked(() -> services.postForObject(addresses.users() + "/users/{id}/points", given, Map.class, user));
    }

    @Override
    public Map<String, Object> item(int id) {
        return asked(() -> services.getForObject(addresses.items() + "/items/{id}", Map.class, id));
    }

    @Override
    public Map<String, Object> reserve(int id, Wanted wanted) {
        return asked(() -> services.postForObject(addresses.items() + "/items/{id}/reserve", wanted, Map.class, id));
    }

    @Override
    public List<Map<String, Object>> recent(int user) {
        return asked(() -> services.getForObject(addresses.orders() + "/orders/recent?user={id}", List.class, user));
    }

    private static <T> T asked(Supplier<T> call) {
        try {
            return call.get();
        } catch (HttpStatusCodeException refused) {
            throw new Refused(refused.getStatusCode().value());
        }
    }
}
