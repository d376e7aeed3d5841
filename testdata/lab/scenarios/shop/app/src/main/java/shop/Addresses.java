package shop;

import org.springframework.boot.context.properties.ConfigurationProperties;

/** Where the other services are. */
@ConfigurationProperties("shop")
record Addresses(String orders, String users, String items) {
}
