package lab;

import java.io.Serializable;
import java.util.List;
import java.util.Map;

/** What the server does: methods that return, take long, fail, or are not waited for. */
public interface Shop {
    /** Something that can be bought. */
    final class Item implements Serializable {
        private static final long serialVersionUID = 1;
        public String name;
        public long price;
        public Map<String, Integer> stock;
    }

    /** What is asked for is not there. */
    final class Missing extends Exception {
        private static final long serialVersionUID = 1;

        public Missing(String text) {
            super(text);
        }
    }

    Item find(String name) throws Missing;

    long total(List<Item> items);

    byte[] big(int size);

    String slow(int milliseconds) throws InterruptedException;

    String crash(String text);

    void note(String text);

    void nothing();
}
