//! Identifiers that an application wrote into its messages: what they look like on the wire.

pub mod opaque;

pub mod traceparent;

pub mod b3;

pub mod jaeger;

pub mod xray;

pub mod cloud_trace;

pub mod datadog;

pub mod newrelic;

pub mod instana;

pub mod skywalking;

pub mod pinpoint;

pub mod cat;

pub mod sofa;

pub mod dotnet;

pub mod format;

mod headers;

pub mod conceal;

pub mod own;

pub mod body;

pub mod collector;

pub use collector::Collector;
pub use format::Format;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::num::NonZeroU64;
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

/// One identifier as a message carried it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext<'b> {
    /// Its format.
    pub format: Format,
    /// The trace id, or the request id, as text on the wire; empty where it must not be told.
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

/// An id for a text that stands for itself; the same text gives the same id in every format.
fn text_id(text: &[u8]) -> u128 {
    xxh3_128_with_seed(text, TEXT_ID_SEED)
}

/// A span's id that is a text, as a number.
fn text_span(text: &[u8]) -> Option<NonZeroU64> {
    NonZeroU64::new(xxh3_64_with_seed(text, TEXT_ID_SEED))
}

/// A span's id of at most 16 hexadecimal digits; not 0.
fn span_number(digits: &[u8]) -> Option<NonZeroU64> {
    NonZeroU64::new(hex(digits).filter(|_| digits.len() <= 16)?.try_into().ok()?)
}

/// A decimal number, without a sign.
fn decimal(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    text.bytes().all(|digit| digit.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Bytes that were sent in base64, with or without padding.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

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

    /// Trace, span, parent and decision.
    pub(super) fn shown(context: Option<TraceContext<'_>>) -> String {
        let Some(context) = context else { return "none".to_owned() };
        let span = context.span.map_or(0, NonZeroU64::get);
        let parent = context.parent.map_or(0, NonZeroU64::get);
        format!("{:x} {span:x} {parent:x} {:?}", context.trace, context.sampled)
    }

    pub(super) fn encoded(bytes: &[u8]) -> String {
        BASE64.encode(bytes)
    }
}
