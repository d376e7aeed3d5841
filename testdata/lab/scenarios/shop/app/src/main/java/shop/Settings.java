package shop;

import java.util.concurrent.Executor;
import org.apache.hc.client5.http.impl.classic.HttpClients;
import org.apache.hc.client5.http.impl.io.PoolingHttpClientConnectionManagerBuilder;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.task.TaskDecorator;
import org.springframework.http.client.HttpComponentsClientHttpRequestFactory;
import org.springframework.scheduling.annotation.EnableAsync;
import org.springframework.scheduling.annotation.EnableScheduling;
import org.springframework.scheduling.concurrent.ThreadPoolTaskExecutor;
import org.springframework.web.client.RestTemplate;
import shop.marks.Caller;

/** What the services have in common: connections to other services, threads for what goes on beside. */
@Configuration
@EnableAsync
@EnableScheduling
class Settings {
    private static final int CONNECTIONS_EACH = 24;

    @Bean
    RestTemplate services() {
        var pool = PoolingHttpClientConnectionManagerBuilder.create()
                .setMaxConnPerRoute(CONNECTIONS_EACH).setMaxConnTotal(2 * CONNECTIONS_EACH).build();
        // What is sent again is decided here, and not by the library.
        var client = HttpClients.custom().setConnectionManager(pool)
                .disableAutomaticRetries().disableCookieManagement().build();
        var template = new RestTemplate(new HttpComponentsClientHttpRequestFactory(client));
        template.getInterceptors().add((request, body, execution) -> {
            request.getHeaders().set("X-Lab", Caller.current().next());
            Identifiers.passOn(request.getHeaders()::set, request.getURI().getAuthority());
            return execution.execute(request, body);
        });
        return template;
    }

    /** Calls at the same time, on behalf of a request that waits for them. */
    @Bean
    Executor parallel() {
        return threads("parallel-", 32);
    }

    /** What is done after the answer. */
    @Bean
    Executor background() {
        return threads("after-", 24);
    }

    private static Executor threads(String name, int count) {
        TaskDecorator handing = task -> Caller.handing(Identifiers.handing(task));
        var threads = new ThreadPoolTaskExecutor();
        threads.setThreadNamePrefix(name);
        threads.setCorePoolSize(count);
        threads.setTaskDecorator(handing);
        threads.initialize();
        return threads;
    }
}
