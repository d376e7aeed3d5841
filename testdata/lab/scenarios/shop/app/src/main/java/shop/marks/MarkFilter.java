package shop.marks;

import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.stereotype.Component;
import org.springframework.web.filter.OncePerRequestFilter;

/** Reads the mark of a request. */
@Component
@Order(Ordered.HIGHEST_PRECEDENCE)
class MarkFilter extends OncePerRequestFilter {
    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        Caller.enter(request.getHeader("X-Lab"));
        try {
            chain.doFilter(request, response);
        } finally {
            Caller.leave();
        }
    }
}
