//! Identifiers that an application wrote into its messages: what they look like on the wire.

pub mod traceparent;

pub mod b3;

pub mod request_id;

use std::num::NonZeroU64;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// A format of trace context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// W3C `traceparent`, <https://www.w3.org/TR/trace-context/>.
    Traceparent,
    /// B3, single or multiple headers, <https://github.com/openzipkin/b3-propagation>.
    B3,
    /// `X-Request-ID`.
    RequestId,
}

impl Format {
    /// The name in the output and in reasons of links.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Traceparent => "traceparent",
            Self::B3 => "b3",
            Self::RequestId => "x-request-id",
        }
    }
}

/// One identifier as a message carried it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext<'b> {
    /// Its format.
    pub format: Format,
    /// The trace id, or the request id, as text on the wire.
    pub text: &'b [u8],
    /// The trace id as a number where the format has one, else a hash of the normalised text.
    pub trace: u128,
    /// The id of the span that sent the message; with B3 the receiver shares it.
    pub span: Option<NonZeroU64>,
    /// The id of the span above that one, where the format tells.
    pub parent: Option<NonZeroU64>,
    /// Whether the sender records this trace, where the format tells.
    pub sampled: Option<bool>,
}

/// Gathers the identifiers of one message from its headers, whatever protocol carries them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Collector<'b> {
    traceparent: Option<&'b [u8]>,
    b3: b3::Headers<'b>,
    request_id: Option<&'b [u8]>,
}

impl<'b> Collector<'b> {
    /// Looks at one header, whose name may be in any case; of a repeated one the first counts.
    pub fn header(&mut self, name: &[u8], value: &'b [u8]) {
        // Few headers pass this, and a comparison of whole names is what costs.
        let slot = match (name.len(), name.first().map(u8::to_ascii_lowercase)) {
            (2, Some(b'b')) if name.eq_ignore_ascii_case(b"b3") => &mut self.b3.single,
            (10, Some(b'x')) if name.eq_ignore_ascii_case(b"x-b3-flags") => &mut self.b3.flags,
            (11, Some(b'x')) if name.eq_ignore_ascii_case(b"x-b3-spanid") => &mut self.b3.span,
            (11, Some(b't')) if name.eq_ignore_ascii_case(b"traceparent") => &mut self.traceparent,
            (12, Some(b'x')) if name.eq_ignore_ascii_case(b"x-request-id") => &mut self.request_id,
            (12, Some(b'x')) if name.eq_ignore_ascii_case(b"x-b3-traceid") => &mut self.b3.trace,
            (12, Some(b'x')) if name.eq_ignore_ascii_case(b"x-b3-sampled") => &mut self.b3.sampled,
            (17, Some(b'x')) if name.eq_ignore_ascii_case(b"x-b3-parentspanid") => {
                &mut self.b3.parent
            }
            _ => return,
        };
        slot.get_or_insert(value.trim_ascii());
    }

    /// Hands out what was found, one identifier a format.
    pub fn finish(self, found: &mut dyn FnMut(&TraceContext<'b>)) {
        if let Some(context) = self.traceparent.and_then(traceparent::parse) {
            found(&context);
        }
        if let Some(context) = self.b3.context() {
            found(&context);
        }
        if let Some(context) = self.request_id.and_then(request_id::parse) {
            found(&context);
        }
    }
}

/// An id for a text that stands for itself; the same text gives the same id in every format.
fn text_id(text: &[u8]) -> u128 {
    xxh3_128_with_seed(text, TEXT_ID_SEED)
}

/// A number of at most 32 hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u128> {
    // Two numbers of 64 bits are made faster than one of 128.
    let (high, low) = digits.split_at_checked(digits.len().saturating_sub(16))?;
    if low.is_empty() || high.len() > 16 {
        return None;
    }
    Some(u128::from(hex_half(high)?) << 64 | u128::from(hex_half(low)?))
}

fn hex_half(digits: &[u8]) -> Option<u64> {
    // All digits are looked at, without leaving early, which is quicker for those that are right.
    let (number, all) = digits.iter().fold((0_u64, 0), |(number, all), digit| {
        let value = value(*digit);
        (number << 4 | u64::from(value & 15), all | value)
    });
    (all < NO_DIGIT).then_some(number)
}

fn value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => NO_DIGIT,
    }
}

/// Of more bits than any digit.
const NO_DIGIT: u8 = 16;

/// As [`hex`], where the specification allows no upper case.
fn lower_hex(digits: &[u8]) -> Option<u128> {
    let upper = digits.iter().fold(false, |any, digit| any | digit.is_ascii_uppercase());
    hex(digits).filter(|_| !upper)
}

/// Keeps these ids apart from other hashes of the same text.
const TEXT_ID_SEED: u64 = 0x7769_7265_7370_616e;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&str, &str)], expected: &[(Format, &str)]) {
        let mut collector = Collector::default();
        for (name, value) in headers {
            collector.header(name.as_bytes(), value.as_bytes());
        }
        let mut found = Vec::new();
        collector.finish(&mut |context| {
            found.push((context.format, String::from_utf8_lossy(context.text).into_owned()));
        });
        let expected: Vec<_> =
            expected.iter().map(|(format, text)| (*format, (*text).to_owned())).collect();
        assert_eq!(found, expected, "{headers:?}");
    }

    #[test]
    fn one_identifier_a_format_comes_out_in_a_fixed_order() {
        check(
            &[
                ("X-Request-Id", "r1"),
                ("Accept", "*/*"),
                ("B3", "64fe8b2a57d3eff7-e457b5a2e4d86bd1"),
                ("TraceParent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            ],
            &[
                (Format::Traceparent, "0af7651916cd43dd8448eb211c80319c"),
                (Format::B3, "64fe8b2a57d3eff7"),
                (Format::RequestId, "r1"),
            ],
        );
    }

    #[test]
    fn b3_headers_are_gathered_in_any_case_and_order() {
        check(
            &[
                ("x-b3-spanid", "e457b5a2e4d86bd1"),
                ("X-B3-TRACEID", " 64fe8b2a57d3eff7 "),
                ("X-B3-ParentSpanId", "05e3ac9a4f6e3b90"),
                ("X-B3-Sampled", "1"),
                ("X-B3-Flags", "0"),
            ],
            &[(Format::B3, "64fe8b2a57d3eff7")],
        );
    }

    #[test]
    fn names_of_the_same_length_are_told_apart() {
        check(&[("x-request-ix", "r"), ("x-b3-tracaid", "64fe8b2a57d3eff7"), ("c3", "0")], &[]);
    }

    #[test]
    fn of_a_repeated_header_the_first_counts() {
        check(&[("x-request-id", "a"), ("x-request-id", "b")], &[(Format::RequestId, "a")]);
    }

    #[test]
    fn invalid_values_give_nothing() {
        check(&[("traceparent", "00-zz"), ("b3", "0"), ("x-request-id", "")], &[]);
    }
}
