package shop.api;

/** A service does not do what it was asked for; the status is one of HTTP's. */
public final class Refused extends RuntimeException {
    private int status;

    public Refused(int status) {
        super("refused with " + status);
        this.status = status;
    }

    public int status() {
        return status;
    }
}
