package shop.api;

import java.io.Serializable;
import java.util.Map;

/** What items does for other services. */
public interface ItemService {
    /** An item, and how many of it are left. */
    Map<String, Object> item(int id) throws Refused;

    /** Takes some of an item for an order; refused with 409 where too little is left. */
    Map<String, Object> reserve(int id, Wanted wanted) throws Refused;

    /** How many are wanted, for which order. Not a record, since Dubbo is to read it as well. */
    final class Wanted implements Serializable {
        private String reference;
        private int quantity;

        public Wanted() {
        }

        public Wanted(String reference, int quantity) {
            this.reference = reference;
            this.quantity = quantity;
        }

        public String getReference() {
            return reference;
        }

        public void setReference(String reference) {
            this.reference = reference;
        }

        public int getQuantity() {
            return quantity;
        }

        public void setQuantity(int quantity) {
            this.quantity = quantity;
        }
    }
}
