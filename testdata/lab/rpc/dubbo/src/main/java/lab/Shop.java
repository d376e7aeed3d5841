package lab;

import java.io.Serializable;
import java.util.Date;
import java.util.List;
import java.util.Map;

/** The service that the client calls. */
public interface Shop {
    String price(String item);

    Order order(Order order);

    /** Answers with nothing. */
    String nothing(int number, long big, double fraction, boolean flag);

    /** Throws what the application threw. */
    String fail(String why);

    /** Answers after so many milliseconds. */
    String slow(int millis);

    /** Is told, and answers nothing. */
    void note(String text);

    byte[] echo(byte[] bytes, String text);

    List<Map<String, Object>> mixed(List<Object> list, Map<String, Object> map, int[] numbers,
                                    String[] words, Date date, Color color);

    /** Calls the listener back over the same connection. */
    void subscribe(String key, Listener listener);

    /** What is called back. */
    interface Listener {
        void changed(String text);
    }

    enum Color { RED, GREEN }

    class Sold extends RuntimeException {
        private int left;

        public Sold() {
        }

        public Sold(String message, int left) {
            super(message);
            this.left = left;
        }

        public int getLeft() {
            return left;
        }
    }

    class Order implements Serializable {
        public String id;
        public long total;
        public double weight;
        public Order parent;
        public List<Order> parts;
        public Map<String, Integer> counts;
        public Date when;
        public Color color;
        public byte[] seal;
    }
}
