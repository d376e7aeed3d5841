package shop;

import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import org.springframework.context.annotation.Profile;
import org.springframework.dao.DuplicateKeyException;
import org.springframework.http.HttpStatus;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.transaction.support.TransactionTemplate;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.server.ResponseStatusException;
import shop.api.ItemService;
import shop.api.Refused;
import shop.api.UserService;

/** Orders, which take what they need from users and items. */
@RestController
@Profile("orders")
class Orders {
    private static final int TRIES = 4;
    private static final long FRESH = 3_000_000_000L;

    private final JdbcTemplate database;
    private final TransactionTemplate transaction;
    private final UserService users;
    private final ItemService goods;
    private final Executor parallel;
    private final Afterwards afterwards;
    private final Map<Integer, Name> names = new ConcurrentHashMap<>();

    Orders(JdbcTemplate database, TransactionTemplate transaction, UserService users, ItemService goods,
            Executor parallel, Afterwards afterwards) {
        this.database = database;
        this.transaction = transaction;
        this.users = users;
        this.goods = goods;
        this.parallel = parallel;
        this.afterwards = afterwards;
    }

    /** An order, with its items, which are asked for at the same time. */
    @GetMapping("/orders/{id}")
    Map<String, Object> order(@PathVariable int id, @RequestHeader("Authorization") String token) {
        int user = userOf(token);
        List<Map<String, Object>> found = database.queryForList(
                "SELECT id, reference, user_id, total, status FROM orders WHERE id = ?", id);
        if (found.isEmpty()) {
            throw new ResponseStatusException(HttpStatus.NOT_FOUND);
        }
        Map<String, Object> order = found.get(0);
        Work.some();
        List<Integer> items = database.queryForList(
                "SELECT item_id FROM order_lines WHERE order_id = ?", Integer.class, id);
        var asked = items.stream().map(item -> CompletableFuture.supplyAsync(() -> item(item), parallel)).toList();
        order.put("items", asked.stream().map(CompletableFuture::join).toList());
        Work.some();
        order.put("user", nameOf((Integer) order.get("user_id")));
        Work.some();
        afterwards.audit("look", user, (String) order.get("reference"));
        return order;
    }

    @GetMapping("/orders/recent")
    List<Map<String, Object>> recent(@RequestParam int user) {
        Work.some();
        return database.queryForList(
                "SELECT id, reference, total FROM orders WHERE user_id = ? ORDER BY id DESC LIMIT 3", user);
    }

    record Line(int item, int quantity) {
    }

    record Order(String reference, List<Line> lines) {
    }

    /** Places an order: takes its items one after the other, and writes down all of it at once. */
    @PostMapping("/orders")
    @ResponseStatus(HttpStatus.CREATED)
    Map<String, Object> place(@RequestBody Order order, @RequestHeader("Authorization") String token) {
        int user = userOf(token);
        try {
            database.update("INSERT INTO orders (reference, user_id, total, status) VALUES (?, ?, 0, 'new')",
                    order.reference, user);
        } catch (DuplicateKeyException again) {
            throw new ResponseStatusException(HttpStatus.CONFLICT);
        }
        Work.some();
        int id = database.queryForObject("SELECT id FROM orders WHERE reference = ?", Integer.class, order.reference);
        int total = 0;
        for (Line line : order.lines) {
            try {
                var wanted = new ItemService.Wanted(order.reference, line.quantity);
                var reserved = goods.reserve(line.item, wanted);
                total += (Integer) reserved.get("price");
            } catch (Refused refused) {
                database.update("UPDATE orders SET status = 'refused' WHERE reference = ?", order.reference);
                throw new ResponseStatusException(HttpStatus.valueOf(refused.status()));
            }
        }
        Work.some();
        int sum = total;
        transaction.executeWithoutResult(status -> {
            for (Line line : order.lines) {
                database.update("INSERT INTO order_lines (order_id, item_id, quantity) VALUES (?, ?, ?)",
                        id, line.item, line.quantity);
            }
            database.update("UPDATE orders SET total = ?, status = 'placed' WHERE id = ?", sum, id);
        });
        afterwards.audit("place", user, order.reference);
        afterwards.points(user, order.reference, sum / 100);
        return Map.of("id", id, "reference", order.reference, "total", sum);
    }

    /** Whose token it is; asks again where users is busy. */
    private int userOf(String token) {
        for (int tries = 1;; tries++) {
            try {
                return (Integer) users.token(token.replace("Bearer ", "")).get("user_id");
            } catch (Refused refused) {
                switch (HttpStatus.valueOf(refused.status())) {
                    case NOT_FOUND -> throw new ResponseStatusException(HttpStatus.UNAUTHORIZED);
                    case SERVICE_UNAVAILABLE -> {
                        if (tries == TRIES) {
                            throw new ResponseStatusException(HttpStatus.SERVICE_UNAVAILABLE);
                        }
                    }
                    default -> throw refused;
                }
            }
        }
    }

    private Map<?, ?> item(int id) {
        try {
            return goods.item(id);
        } catch (Refused refused) {
            if (refused.status() != HttpStatus.NOT_FOUND.value()) {
                throw refused;
            }
            return Map.of("id", id);
        }
    }

    private record Name(String name, long until) {
    }

    /** The name of a user, which is kept for some seconds. */
    private String nameOf(int user) {
        Name known = names.get(user);
        if (known == null || known.until < System.nanoTime()) {
            var answer = users.name(user);
            known = new Name((String) answer.get("name"), System.nanoTime() + FRESH);
            names.put(user, known);
        }
        return known.name;
    }
}
