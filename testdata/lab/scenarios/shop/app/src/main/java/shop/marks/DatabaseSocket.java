package shop.marks;

import com.mysql.cj.conf.PropertySet;
import com.mysql.cj.protocol.StandardSocketFactory;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;

/** A connection to MariaDB that counts the commands that a driver writes, and tells whom each is for. */
public final class DatabaseSocket extends Socket {
    @Override
    public OutputStream getOutputStream() throws IOException {
        return new Commands(super.getOutputStream());
    }

    private final class Commands extends FilterOutputStream {
        private static final int HEAD = 4;
        private int nth;
        private int ofHead;
        private int length;
        private int ofBody;

        Commands(OutputStream out) {
            super(out);
        }

        @Override
        public void write(int one) throws IOException {
            write(new byte[] {(byte) one}, 0, 1);
        }

        /** Finds the packets: 3 bytes of length, and a sequence number, which is 0 where a command begins. */
        @Override
        public void write(byte[] bytes, int from, int count) throws IOException {
            for (int at = from; at < from + count;) {
                if (ofHead < HEAD) {
                    int one = bytes[at++] & 0xff;
                    length = ofHead == 0 ? one : ofHead < 3 ? length | one << 8 * ofHead : length;
                    if (++ofHead == HEAD) {
                        // What is sent before the first command is the login.
                        if (one == 0 || nth == 0) {
                            String mark = Caller.current().next();
                            SideLog.tell(getLocalSocketAddress(), getRemoteSocketAddress(), ++nth, mark);
                        }
                        ofBody = 0;
                    }
                } else {
                    int more = Math.min(length - ofBody, from + count - at);
                    ofBody += more;
                    at += more;
                }
                if (ofHead == HEAD && ofBody == length) {
                    ofHead = 0;
                }
            }
            out.write(bytes, from, count);
        }
    }

    /** For MySQL's driver, as its property socketFactory. */
    public static final class ForMysql extends StandardSocketFactory {
        @Override
        protected Socket createSocket(PropertySet properties) {
            return new DatabaseSocket();
        }
    }

    /** For MariaDB's driver, as its option socketFactory. */
    public static final class ForMariadb extends javax.net.SocketFactory {
        @Override
        public Socket createSocket() {
            return new DatabaseSocket();
        }

        @Override
        public Socket createSocket(String host, int port) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Socket createSocket(String host, int port, InetAddress from, int fromPort) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Socket createSocket(InetAddress host, int port) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Socket createSocket(InetAddress host, int port, InetAddress from, int fromPort) {
            throw new UnsupportedOperationException();
        }
    }
}
