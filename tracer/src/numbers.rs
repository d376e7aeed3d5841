//! Numbers as people read them, and addresses.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

/// Adds the digits of a number.
pub(crate) fn digits(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Adds address and port. It is quicker than the standard library for what most addresses are.
pub(crate) fn address(out: &mut Vec<u8>, value: SocketAddr) {
    match value.ip() {
        IpAddr::V4(ip) => {
            for (place, octet) in ip.octets().into_iter().enumerate() {
                if place > 0 {
                    out.push(b'.');
                }
                digits(out, octet);
            }
            out.push(b':');
            digits(out, value.port());
        }
        // Writing to memory does not fail.
        IpAddr::V6(_) => drop(write!(out, "{value}")),
    }
}

/// A number with commas between groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of bytes that is read with ease.
pub(crate) fn bytes_text(bytes: u64) -> String {
    match bytes as f64 {
        1.0 => "1 byte".to_owned(),
        b if b < 9_999.5 => format!("{} bytes", grouped(bytes)),
        b if b < 999_500.0 => format!("{:.0} kB", b / 1e3),
        b if b < 99.95e6 => format!("{:.1} MB", b / 1e6),
        b if b < 999.5e6 => format!("{:.0} MB", b / 1e6),
        b => format!("{:.1} GB", b / 1e9),
    }
}

/// A share with two or three digits; what is not nothing is never shown as nothing.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    match 100.0 * part as f64 / whole.max(1) as f64 {
        0.0 => "0".to_owned(),
        percent if percent < 0.1 => "<0.1".to_owned(),
        percent if percent < 9.95 => format!("{percent:.1}"),
        percent => format!("{percent:.0}"),
    }
}

/// How often in a second, with three digits.
pub(crate) fn rate_text(rate: f64) -> String {
    match rate {
        0.0 => "0".to_owned(),
        rate if rate < 0.01 => "<0.01".to_owned(),
        rate if rate < 9.995 => format!("{rate:.2}"),
        rate if rate < 99.95 => format!("{rate:.1}"),
        rate => grouped(rate.round() as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_bytes_are_short() {
        let texts = [1, 9_999, 10_000, 999_499, 1_000_000, 120_000_000, 5_000_000_000];
        let texts = texts.map(bytes_text);
        assert_eq!(
            texts,
            ["1 byte", "9,999 bytes", "10 kB", "999 kB", "1.0 MB", "120 MB", "5.0 GB"]
        );
    }

    #[test]
    fn digits_stand_in_groups_of_three() {
        let texts = [0, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn shares_and_rates_have_few_digits_and_never_hide_that_there_is_something() {
        let shares = [(0, 9), (1, 9999), (1, 3), (1, 1), (5, 0)].map(|(a, b)| percent(a, b));
        assert_eq!(shares, ["0", "<0.1", "33", "100", "500"]);
        assert_eq!(percent(7, 100), "7.0");
        let rates = [0.0, 0.001, 1.0, 12.34, 1234.5].map(rate_text);
        assert_eq!(rates, ["0", "<0.01", "1.00", "12.3", "1,235"]);
    }
}
