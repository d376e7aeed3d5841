package shop;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Profile;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.dao.EmptyResultDataAccessException;
import org.springframework.data.redis.connection.RedisStandaloneConfiguration;
import org.springframework.data.redis.core.StringRedisTemplate;
import org.springframework.http.HttpStatus;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.scheduling.annotation.Scheduled;
import org.springframework.transaction.support.TransactionTemplate;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.server.ResponseStatusException;
import shop.api.ItemService.Wanted;
import shop.marks.RedisCommands;

/** Items and how many are left, with a cache in front of the database. */
@RestController
@Profile("items")
class Items {
    private static final Duration FRESH = Duration.ofSeconds(8);
    private static final int OF_A_PAGE = 5;
    private static final long QUIET = 700_000_000L;

    private final JdbcTemplate database;
    private final TransactionTemplate transaction;
    private final StringRedisTemplate cache;
    private final ObjectMapper json;
    private volatile long asked = System.nanoTime();

    Items(JdbcTemplate database, TransactionTemplate transaction, StringRedisTemplate cache, ObjectMapper json) {
        this.database = database;
        this.transaction = transaction;
        this.cache = cache;
        this.json = json;
    }

    @Configuration
    @Profile("items")
    static class Cache {
        @Bean
        RedisCommands redis(@Value("${shop.cache}") String host) {
            return new RedisCommands(new RedisStandaloneConfiguration(host));
        }
    }

    @GetMapping("/items/{id}")
    String item(@PathVariable int id) {
        asked = System.nanoTime();
        Work.some();
        String known = cache.opsForValue().get("item:" + id);
        Work.some();
        return known != null ? known : fetched(id);
    }

    /** A page of a category: what the cache does not have is fetched one by one. */
    @GetMapping("/items")
    String page(@RequestParam int category, @RequestParam(defaultValue = "name") String sort,
            @RequestParam(defaultValue = "0") int page) {
        asked = System.nanoTime();
        Work.some();
        List<Integer> ids = database.queryForList("SELECT id FROM items WHERE category = ? ORDER BY " + sort
                + " LIMIT ? OFFSET ?", Integer.class, category, OF_A_PAGE, OF_A_PAGE * page);
        Work.some();
        List<String> known = cache.opsForValue().multiGet(ids.stream().map(id -> "item:" + id).toList());
        List<String> found = new ArrayList<>();
        for (int at = 0; at < ids.size(); at++) {
            found.add(known.get(at) != null ? known.get(at) : fetched(ids.get(at)));
        }
        return "[" + String.join(",", found) + "]";
    }

    private String fetched(int id) {
        try {
            Map<String, Object> row = database.queryForMap(
                    "SELECT id, name, category, price, stock FROM items WHERE id = ?", id);
            String item = json.writeValueAsString(row);
            cache.opsForValue().set("item:" + id, item, FRESH);
            return item;
        } catch (EmptyResultDataAccessException none) {
            throw new ResponseStatusException(HttpStatus.NOT_FOUND);
        } catch (JsonProcessingException error) {
            throw new IllegalStateException(error);
        }
    }

    /** Takes some of an item for an order, if enough is left. */
    @PostMapping("/items/{id}/reserve")
    @ResponseStatus(HttpStatus.CREATED)
    Map<String, Object> reserve(@PathVariable int id, @RequestBody Wanted wanted) {
        Work.some();
        int price = transaction.execute(status -> {
            Map<String, Object> item = database.queryForMap(
                    "SELECT price, stock FROM items WHERE id = ? FOR UPDATE", id);
            if ((Integer) item.get("stock") < wanted.getQuantity()) {
                throw new ResponseStatusException(HttpStatus.CONFLICT);
            }
            database.update("UPDATE items SET stock = stock - ? WHERE id = ?", wanted.getQuantity(), id);
            database.update("INSERT INTO reservations (item_id, reference, quantity) VALUES (?, ?, ?)", id,
                    wanted.getReference(), wanted.getQuantity());
            return (Integer) item.get("price");
        });
        cache.delete("item:" + id);
        Work.some();
        return Map.of("item", id, "price", price * wanted.getQuantity());
    }

    /** What nobody asks for; it ends when there is no trade. */
    @Scheduled(fixedRate = 300)
    void scarce() {
        if (System.nanoTime() - asked > QUIET) {
            return;
        }
        List<Integer> ids = database.queryForList("SELECT id FROM items ORDER BY stock LIMIT 5", Integer.class);
        cache.opsForValue().set("scarce", ids.toString());
    }
}
