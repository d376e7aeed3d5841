package shop.api;

import java.util.Map;

/** What users does for other services. */
public interface UserService {
    /** Whose token it is; refused with 503 where there is no time to look. */
    Map<String, Object> token(String token) throws Refused;

    /** The name of a user. */
    Map<String, Object> name(int user) throws Refused;

    /** Gives a user points for an order. */
    Map<String, Object> points(int user, String reference, int points) throws Refused;
}
