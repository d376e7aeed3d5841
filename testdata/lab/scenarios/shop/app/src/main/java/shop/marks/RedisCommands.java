package shop.marks;

import io.lettuce.core.AbstractRedisClient;
import io.lettuce.core.RedisChannelWriter;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.StatefulRedisConnectionImpl;
import io.lettuce.core.codec.RedisCodec;
import io.lettuce.core.protocol.CommandWrapper;
import io.lettuce.core.protocol.PushHandler;
import io.lettuce.core.protocol.RedisCommand;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.NettyCustomizer;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import org.springframework.data.redis.connection.RedisStandaloneConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceClientConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;

/**
 * Lettuce, which writes the commands of all threads to one connection in a thread of its own: each takes
 * along whom it is for, from the thread that asks to the one that writes.
 */
public final class RedisCommands extends LettuceConnectionFactory {
    private final RedisStandaloneConfiguration server;
    private final ClientResources resources = ClientResources.builder().nettyCustomizer(new NettyCustomizer() {
        @Override
        public void afterChannelInitialized(Channel channel) {
            channel.pipeline().addLast(new Counter());
        }
    }).build();

    public RedisCommands(RedisStandaloneConfiguration server) {
        super(server, LettuceClientConfiguration.defaultConfiguration());
        this.server = server;
    }

    @Override
    protected AbstractRedisClient createClient() {
        return new Client(resources, RedisURI.create(server.getHostName(), server.getPort()));
    }

    private static final class Marked<K, V, T> extends CommandWrapper<K, V, T> {
        private final String mark = Caller.current().next();

        Marked(RedisCommand<K, V, T> command) {
            super(command);
        }
    }

    private static final class Client extends RedisClient {
        Client(ClientResources resources, RedisURI server) {
            super(resources, server);
        }

        @Override
        protected <K, V> StatefulRedisConnectionImpl<K, V> newStatefulRedisConnection(RedisChannelWriter writer,
                PushHandler pushed, RedisCodec<K, V> codec, Duration patience) {
            return super.newStatefulRedisConnection(marking(writer), pushed, codec, patience);
        }

        private static RedisChannelWriter marking(RedisChannelWriter writer) {
            Class<?>[] as = {RedisChannelWriter.class};
            return (RedisChannelWriter) Proxy.newProxyInstance(as[0].getClassLoader(), as, (proxy, method, given) -> {
                try {
                    if (method.getName().equals("write") && given[0] instanceof RedisCommand<?, ?, ?> command) {
                        writer.write(new Marked<>(command));
                        return command;
                    }
                    return method.invoke(writer, given);
                } catch (InvocationTargetException error) {
                    throw error.getCause();
                }
            });
        }
    }

    private static final class Counter extends ChannelOutboundHandlerAdapter {
        private int nth;

        @Override
        public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
            for (Object one : message instanceof Collection<?> several ? several : List.of(message)) {
                // The driver's own, as it connects, have no mark.
                String mark = one instanceof Marked<?, ?, ?> marked ? marked.mark : Caller.current().next();
                SideLog.tell(context.channel().localAddress(), context.channel().remoteAddress(), ++nth, mark);
            }
            context.write(message, promise);
        }
    }
}
