//! Moments and durations as people write them.

use jiff::civil;
use jiff::tz::TimeZone;
use wirespan_capture::packet::Timestamp;

/// A moment that may depend on where the capture begins, and on the time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// This one.
    At(Timestamp),
    /// By the calendar and the clock.
    Civil(civil::DateTime),
    /// By the clock, on the day on which the capture begins.
    Clock(civil::Time),
    /// So many nanoseconds after the first packet.
    After(i64),
}

impl Moment {
    /// Reads a moment.
    ///
    /// # Errors
    /// What a moment looks like.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(after) = text.strip_prefix('+') {
            return duration(after).map(Self::After).map_err(|_| A_MOMENT);
        }
        if let Some(at) = since_1970(text) {
            return Ok(Self::At(at));
        }
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            return nanoseconds(at).map(Self::At).ok_or(A_MOMENT);
        }
        // Else the library would take the digits of a date for those of a time.
        if text.contains(':') && !text.contains('-') {
            return text.parse().map(Self::Clock).map_err(|_| A_MOMENT);
        }
        if text.contains('-') {
            return text.parse().map(Self::Civil).map_err(|_| A_MOMENT);
        }
        Err(A_MOMENT)
    }

    /// Whether it lies behind the other one whatever the capture and the time zone.
    pub fn is_surely_after(self, other: Self) -> bool {
        match (self, other) {
            (Self::At(one), Self::At(other)) => one > other,
            (Self::Civil(one), Self::Civil(other)) => one > other,
            (Self::Clock(one), Self::Clock(other)) => one > other,
            (Self::After(one), Self::After(other)) => one > other,
            _ => false,
        }
    }

    /// The moment itself, given the first packet of the capture. What lies beyond the times that
    /// a packet can have becomes the last one of them.
    pub fn resolve(self, first: Timestamp, zone: &TimeZone) -> Timestamp {
        let civil = |at: civil::DateTime| {
            let zoned = zone.to_zoned_datetime(at).ok();
            let zoned = zoned.and_then(|zoned| nanoseconds(zoned.timestamp()));
            zoned.unwrap_or(Timestamp(i64::MAX))
        };
        match self {
            Self::At(at) => at,
            Self::Civil(at) => civil(at),
            Self::Clock(time) => {
                let first = jiff::Timestamp::from_nanosecond(i128::from(first.0));
                let day = first.unwrap_or_default().to_zoned_datetime(zone.clone()).date();
                civil(day.to_datetime(time))
            }
            Self::After(nanoseconds) => first.plus(nanoseconds),
        }
    }
}

/// Reads a duration with its unit, in nanoseconds.
///
/// # Errors
/// What a duration looks like.
pub fn duration(text: &str) -> Result<i64, &'static str> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let unit = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" | "min" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        _ => return Err(A_DURATION),
    };
    decimal(number, unit).ok_or(A_DURATION)
}

/// Seconds since 1970, with or without a fraction.
fn since_1970(text: &str) -> Option<Timestamp> {
    decimal(text, 1_000_000_000).map(Timestamp)
}

/// A decimal number times a unit, without the detour of floating point; digits beyond the 18th
/// of a fraction do not count.
fn decimal(text: &str, unit: i64) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i64>().ok() };
    let fraction = fraction.get(..18).unwrap_or(fraction);
    let part = i128::from(number(fraction)?) * i128::from(unit);
    let part = part / 10_i128.pow(fraction.len() as u32);
    number(whole)?.checked_mul(unit)?.checked_add(i64::try_from(part).ok()?)
}

fn nanoseconds(at: jiff::Timestamp) -> Option<Timestamp> {
    i64::try_from(at.as_nanosecond()).ok().map(Timestamp)
}

const A_DURATION: &str = "name a number with its unit: ns, us, ms, s, m or h, such as 10ms or 1.5s";
const A_MOMENT: &str = "name a time as 2026-11-25 01:09:35.5, 2026-11-25T01:09:35Z, 01:09:35 (on \
    the capture's first day), seconds since 1970, or +5s (after its first packet)";

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    /// 2026-11-25 01:09:35 UTC.
    const FIRST: Timestamp = Timestamp(1_795_568_975 * SECOND);

    fn resolved(text: &str, zone: &str) -> Timestamp {
        let zone = TimeZone::posix(zone).expect("a zone");
        Moment::parse(text).expect(text).resolve(FIRST, &zone)
    }

    #[test]
    fn all_ways_to_write_a_moment_mean_the_same() {
        let half_later = FIRST.plus(SECOND / 2);
        for text in [
            "2026-11-25 01:09:35.5",
            "2026-11-25T01:09:35.5",
            "2026-11-25T01:09:35.5Z",
            "2026-11-25 02:09:35.5+01:00",
            "01:09:35.5",
            "1795568975.5",
            "1795568975.500000000999",
            "+0.5s",
            "+500ms",
        ] {
            assert_eq!(resolved(text, "UTC0"), half_later, "{text}");
        }
        assert_eq!(resolved("2026-11-25", "UTC0"), Timestamp(1_795_564_800 * SECOND));
        assert_eq!(resolved("01:09", "UTC0"), FIRST.plus(-35 * SECOND));
    }

    #[test]
    fn local_times_are_those_of_the_zone() {
        for text in ["2026-11-25 02:09:35", "02:09:35", "2026-11-25T01:09:35Z"] {
            assert_eq!(resolved(text, "CET-1"), FIRST, "{text}");
        }
        // There it is still the day before.
        assert_eq!(resolved("20:09:35", "EST5"), FIRST);
    }

    #[test]
    fn what_is_no_moment_says_what_one_is() {
        for text in ["", "+", "+5", "yesterday", "25:00:00", "2026-13-01", "-5", "1e9", "20261125T"]
        {
            assert_eq!(Moment::parse(text), Err(A_MOMENT), "{text}");
        }
    }

    #[test]
    fn durations_have_units() {
        for (text, expected) in [
            ("10ms", 10_000_000),
            ("1.5s", 1_500_000_000),
            ("200us", 200_000),
            ("200µs", 200_000),
            (".5ns", 0),
            ("2m", 120 * SECOND),
            ("1h", 3_600 * SECOND),
        ] {
            assert_eq!(duration(text), Ok(expected), "{text}");
        }
        for text in ["", "10", "ms", ".s", "1.2.3s", "-1s", "9999999999999999999h", "10 ms", "1d"] {
            assert_eq!(duration(text), Err(A_DURATION), "{text}");
        }
    }
}
