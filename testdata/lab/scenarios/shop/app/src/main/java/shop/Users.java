package shop;

import java.util.List;
import java.util.Map;
import org.springframework.context.annotation.Profile;
import org.springframework.dao.EmptyResultDataAccessException;
import org.springframework.http.HttpStatus;
import org.springframework.http.ResponseEntity;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.transaction.annotation.Transactional;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.server.ResponseStatusException;
import shop.api.OrderService;

/** Users, with their tokens and addresses. */
@RestController
@Profile("users")
class Users {
    private static final double BUSY = 0.04;

    private final JdbcTemplate database;
    private final OrderService orders;

    Users(JdbcTemplate database, OrderService orders) {
        this.database = database;
        this.orders = orders;
    }

    /** Whose token it is; now and then there is no time to look. */
    @GetMapping("/tokens/{token}")
    ResponseEntity<Map<String, Object>> token(@PathVariable String token) {
        if (Work.happens(BUSY)) {
            return ResponseEntity.status(HttpStatus.SERVICE_UNAVAILABLE).header("Retry-After", "0").build();
        }
        Work.some();
        return ResponseEntity.ok(one("SELECT user_id, scope FROM tokens WHERE token = ?", token));
    }

    @GetMapping("/users/{id}/name")
    Map<String, Object> name(@PathVariable int id) {
        Work.some();
        return one("SELECT name FROM users WHERE id = ?", id);
    }

    /** A user, with one more query for the city of each address, and what orders knows. */
    @GetMapping("/users/{id}")
    Map<String, Object> user(@PathVariable int id) {
        Map<String, Object> user = one("SELECT id, name, email, points FROM users WHERE id = ?", id);
        Work.some();
        List<Map<String, Object>> found = database.queryForList(
                "SELECT street, city_id FROM addresses WHERE user_id = ?", id);
        for (Map<String, Object> address : found) {
            address.putAll(one("SELECT name AS city, country FROM cities WHERE id = ?", address.remove("city_id")));
        }
        user.put("addresses", found);
        Work.some();
        user.put("orders", orders.recent(id));
        return user;
    }

    record Points(String reference, int points) {
    }

    @Transactional
    @PostMapping("/users/{id}/points")
    Map<String, Object> points(@PathVariable int id, @RequestBody Points given) {
        int before = (Integer) one("SELECT points FROM users WHERE id = ? FOR UPDATE", id).get("points");
        database.update("UPDATE users SET points = ? WHERE id = ?", before + given.points, id);
        database.update("INSERT INTO points (user_id, reference, points) VALUES (?, ?, ?)",
                id, given.reference, given.points);
        return Map.of("points", before + given.points);
    }

    private Map<String, Object> one(String statement, Object key) {
        try {
            return database.queryForMap(statement, key);
        } catch (EmptyResultDataAccessException none) {
            throw new ResponseStatusException(HttpStatus.NOT_FOUND);
        }
    }
}
