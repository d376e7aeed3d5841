package shop.api;

import java.util.List;
import java.util.Map;

/** What orders does for other services. */
public interface OrderService {
    /** The latest orders of a user. */
    List<Map<String, Object>> recent(int user) throws Refused;
}
