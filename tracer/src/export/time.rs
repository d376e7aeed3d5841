//! Moments and durations as people read them.

use jiff::tz::{Offset, TimeZone};
use wirespan_capture::packet::Timestamp;

/// What clock moments are shown by.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// That of all the world.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// That of this machine, or of the environment variable `TZ`.
    pub fn local() -> Self {
        Self(TimeZone::system())
    }

    /// The time zone.
    pub(crate) fn time_zone(&self) -> &TimeZone {
        &self.0
    }

    /// The time of the day, to the millisecond.
    pub(crate) fn clock_text(&self, at: Timestamp) -> String {
        let moment = jiff::Timestamp::from_nanosecond(at.0.into()).unwrap_or_default();
        let time = self.0.to_offset(moment).to_datetime(moment);
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        format!("{hour:02}:{minute:02}:{second:02}.{:03}", time.subsec_nanosecond() / 1_000_000)
    }

    /// A moment to the microsecond, with `UTC` or the hours and minutes from it.
    pub fn moment_text(&self, at: Timestamp) -> String {
        // Nanoseconds in 64 bits reach from 1677 to 2262, well within what the crate knows.
        let moment = jiff::Timestamp::from_nanosecond(at.0.into()).unwrap_or_default();
        let offset = self.0.to_offset(moment);
        let time = offset.to_datetime(moment);
        let mut text = String::with_capacity(32);
        for (before, number, digits) in [
            ("", i32::from(time.year()), 4),
            ("-", time.month().into(), 2),
            ("-", time.day().into(), 2),
            (" ", time.hour().into(), 2),
            (":", time.minute().into(), 2),
            (":", time.second().into(), 2),
            (".", time.subsec_nanosecond() / 1_000, 6),
        ] {
            text.push_str(before);
            add_number(number.unsigned_abs().into(), digits, &mut text);
        }
        if self.0 == TimeZone::UTC {
            text.push_str(" UTC");
        } else {
            text.push(' ');
            text.push_str(&offset_text(offset));
        }
        text
    }
}

/// Hours and minutes from UTC, as in `+05:30`.
fn offset_text(offset: Offset) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

/// A duration in seven columns at most, from nanoseconds to hours.
pub(crate) fn duration_text(nanoseconds: i64) -> String {
    let mut text = String::with_capacity(8);
    add_duration(nanoseconds, &mut text);
    text
}

/// Adds a duration as [`duration_text`] has it.
pub(crate) fn add_duration(nanoseconds: i64, out: &mut String) {
    if nanoseconds < 0 {
        out.push('-');
    }
    let n = nanoseconds.unsigned_abs();
    // Whole numbers of the last digit that is shown, rounded.
    let in_units = |unit: u64| (n + unit / 2) / unit;
    match n {
        0 => out.push_str("0 ms"),
        1..1_000 => fixed(n, 0, "ns", out),
        1_000..9_950 => fixed(in_units(100), 1, "µs", out),
        9_950..99_500 => fixed(in_units(1_000), 0, "µs", out),
        99_500..9_995_000 => fixed(in_units(10_000), 2, "ms", out),
        9_995_000..99_950_000 => fixed(in_units(100_000), 1, "ms", out),
        99_950_000..999_500_000 => fixed(in_units(1_000_000), 0, "ms", out),
        999_500_000..9_995_000_000 => fixed(in_units(10_000_000), 2, "s", out),
        9_995_000_000..99_950_000_000 => fixed(in_units(100_000_000), 1, "s", out),
        99_950_000_000..600_000_000_000 => fixed(in_units(1_000_000_000), 0, "s", out),
        _ => {
            let seconds = n / 1_000_000_000;
            let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
            let (more, unit, less, lesser) = match hours {
                0 => (minutes, "m", seconds % 60, "s"),
                hours => (hours, "h", minutes, "m"),
            };
            add_number(more, 1, out);
            out.push_str(unit);
            out.push(' ');
            add_number(less, 2, out);
            out.push_str(lesser);
        }
    }
}

/// Adds a number of which so many digits stand behind the point, and a unit.
fn fixed(number: u64, decimals: u32, unit: &str, out: &mut String) {
    let whole = 10_u64.pow(decimals);
    add_number(number / whole, 1, out);
    if decimals > 0 {
        out.push('.');
        add_number(number % whole, decimals, out);
    }
    out.push(' ');
    out.push_str(unit);
}

/// Adds a number with at least so many digits.
fn add_number(number: u64, digits: u32, out: &mut String) {
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(number);
    for _ in text.len()..digits as usize {
        out.push('0');
    }
    out.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_by_the_calendar() {
        let utc = |at| Zone::utc().moment_text(Timestamp(at));
        assert_eq!(utc(0), "1970-01-01 00:00:00.000000 UTC");
        assert_eq!(utc(1_709_164_800_123_456_789), "2024-02-29 00:00:00.123456 UTC");
        assert_eq!(utc(-1_000), "1969-12-31 23:59:59.999999 UTC");
        assert_eq!(utc(i64::MAX), "2262-04-11 23:47:16.854775 UTC");
        assert_eq!(utc(i64::MIN), "1677-09-21 00:12:43.145224 UTC");
    }

    #[test]
    fn local_moments_say_how_far_from_utc_they_are() {
        let at = |rule| {
            let zone = Zone(TimeZone::posix(rule).unwrap());
            zone.moment_text(Timestamp(1_709_164_800_000_000_000))
        };
        assert_eq!(at("IST-5:30"), "2024-02-29 05:30:00.000000 +05:30");
        assert_eq!(at("NST3:30"), "2024-02-28 20:30:00.000000 -03:30");
    }

    #[test]
    fn durations_go_from_nanoseconds_to_hours() {
        let of = |nanoseconds| duration_text(nanoseconds);
        let texts = [0, 1, 999, 1_000, 9_949, 30_123, 99_499, 99_500].map(of);
        let small = ["0 ms", "1 ns", "999 ns", "1.0 µs", "9.9 µs", "30 µs", "99 µs", "0.10 ms"];
        assert_eq!(texts, small);
        let texts = [9_994_000, 9_996_000, 99_960_000, 999_600_000, 61_000_000_000].map(of);
        assert_eq!(texts, ["9.99 ms", "10.0 ms", "100 ms", "1.00 s", "61.0 s"]);
        let texts = [600_000_000_000, 3_599_000_000_000, 86_399_000_000_000].map(of);
        assert_eq!(texts, ["10m 00s", "59m 59s", "23h 59m"]);
        assert_eq!(of(-1_500_000), "-1.50 ms");
    }
}
