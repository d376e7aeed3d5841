package shop;

import java.util.Map;
import org.springframework.context.annotation.Profile;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.scheduling.annotation.Async;
import org.springframework.stereotype.Component;
import org.springframework.web.client.RestTemplate;

/** What orders does when its caller has its answer. */
@Component
@Profile("orders")
class Afterwards {
    private final JdbcTemplate database;
    private final RestTemplate services;
    private final Addresses addresses;

    Afterwards(JdbcTemplate database, RestTemplate services, Addresses addresses) {
        this.database = database;
        this.services = services;
        this.addresses = addresses;
    }

    @Async("background")
    void audit(String what, int user, String reference) {
        Work.some();
        database.update("INSERT INTO audit (what, user_id, reference) VALUES (?, ?, ?)", what, user, reference);
    }

    @Async("background")
    void points(int user, String reference, int points) {
        Work.some();
        var given = Map.of("reference", reference, "points", points);
        services.postForObject(addresses.users() + "/users/{id}/points", given, Map.class, user);
    }
}
