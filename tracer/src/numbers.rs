//! Numbers as people read them.

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
}
