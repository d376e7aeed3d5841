package shop;

import org.springframework.context.annotation.Profile;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.scheduling.annotation.Async;
import org.springframework.stereotype.Component;
import shop.api.UserService;

/** What orders does when its caller has its answer. */
@Component
@Profile("orders")
class Afterwards {
    private final JdbcTemplate database;
    private final UserService users;

    Afterwards(JdbcTemplate database, UserService users) {
        this.database = database;
        this.users = users;
    }

    @Async("background")
    void audit(String what, int user, String reference) {
        Work.some();
        database.update("INSERT INTO audit (what, user_id, reference) VALUES (?, ?, ?)", what, user, reference);
    }

    @Async("background")
    void points(int user, String reference, int points) {
        Work.some();
        users.points(user, reference, points);
    }
}
