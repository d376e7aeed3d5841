package shop.marks;

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.charset.StandardCharsets;

/** What the lab is told of calls that have no room for a mark: connection, place on it, mark. */
final class SideLog {
    private static final FileOutputStream FILE = open();

    private SideLog() {
    }

    private static FileOutputStream open() {
        try {
            return new FileOutputStream(System.getenv("LAB_SIDE"), true);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    static void tell(SocketAddress client, SocketAddress server, int nth, String mark) {
        String line = end(client) + "\t" + end(server) + "\t" + nth + "\t" + mark + "\n";
        try {
            FILE.write(line.getBytes(StandardCharsets.US_ASCII));
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static String end(SocketAddress address) {
        InetSocketAddress known = (InetSocketAddress) address;
        return known.getAddress().getHostAddress() + ":" + known.getPort();
    }
}
