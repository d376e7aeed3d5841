//! Google's `X-Cloud-Trace-Context`, and the binary form that gRPC carried before it: one value in,
//! its ids out.
//! <https://cloud.google.com/trace/docs/trace-context#legacy-http-header>
//! <https://github.com/census-instrumentation/opencensus-specs/blob/master/encodings/BinaryEncoding.md>

use super::{Format, TraceContext, base64, decimal, hex};
use std::num::NonZeroU64;

/// Reads `{32 hex}[/{span, decimal}[;o={0|1}]]`.
#[must_use]
pub fn parse(value: &[u8]) -> Option<TraceContext<'_>> {
    let mut parts = value.splitn(2, |byte| *byte == b';');
    let mut ids = parts.next()?.splitn(2, |byte| *byte == b'/');
    let text = ids.next()?;
    let span = ids.next().map_or(Some(0), decimal)?;
    Some(TraceContext {
        format: Format::CloudTrace,
        text,
        trace: hex(text).filter(|trace| text.len() == 32 && *trace != 0)?,
        span: NonZeroU64::new(span),
        parent: None,
        sampled: match parts.next() {
            Some(b"o=1") => Some(true),
            Some(b"o=0") => Some(false),
            _ => None,
        },
    })
}

/// Reads `grpc-trace-bin`: a version, then fields with a number each, in base64 or as they are. Ends
/// that have agreed on it send values as they are behind a zero byte
/// (<https://github.com/grpc/proposal/blob/master/G1-true-binary-metadata.md>).
#[must_use]
pub fn parse_binary(value: &[u8]) -> Option<TraceContext<'_>> {
    let read = match value {
        // Only one of the two comes out even.
        [VERSION, marked @ ..] => match (fields(value), fields(marked)) {
            (Some(plain), _) if plain.is_whole => Some(plain),
            (_, Some(marked)) if marked.is_whole => Some(marked),
            (plain, _) => plain,
        },
        _ => fields(&base64(value)?),
    }?;
    let trace = read.trace.filter(|trace| *trace != 0)?;
    let (span, sampled) = (read.span, read.sampled);
    let format = Format::GrpcTraceBin;
    Some(TraceContext { format, text: value, trace, span, parent: None, sampled })
}

struct Fields {
    trace: Option<u128>,
    span: Option<NonZeroU64>,
    sampled: Option<bool>,
    /// Nothing stands behind them.
    is_whole: bool,
}

fn fields(bytes: &[u8]) -> Option<Fields> {
    let mut rest = bytes.strip_prefix(&[VERSION])?;
    let (mut trace, mut span, mut sampled) = (None, None, None);
    // Fields stand in the order of their numbers; those of later versions come behind.
    while let [field, after @ ..] = rest {
        match field {
            0 => {
                let (id, after) = after.split_first_chunk::<16>()?;
                (trace, rest) = (Some(u128::from_be_bytes(*id)), after);
            }
            1 => {
                let (id, after) = after.split_first_chunk::<8>()?;
                (span, rest) = (NonZeroU64::new(u64::from_be_bytes(*id)), after);
            }
            2 => {
                let (flags, after) = after.split_first()?;
                (sampled, rest) = (Some(flags & 1 != 0), after);
            }
            _ => break,
        }
    }
    Some(Fields { trace, span, sampled, is_whole: rest.is_empty() })
}

const VERSION: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace_context::tests::shown;

    fn check(value: &str, expected: &str) {
        assert_eq!(shown(parse(value.as_bytes())), expected, "{value}");
    }

    fn binary(value: &[u8], expected: &str) {
        assert_eq!(shown(parse_binary(value)), expected, "{value:x?}");
    }

    #[test]
    fn span_is_a_decimal_number() {
        check(
            "105445aa7843bc8bf206b12000100000/18446744073709551615;o=1",
            "105445aa7843bc8bf206b12000100000 ffffffffffffffff 0 Some(true)",
        );
        check(
            "105445AA7843BC8BF206B12000100000/1;o=0",
            "105445aa7843bc8bf206b12000100000 1 0 Some(false)",
        );
        check("105445aa7843bc8bf206b12000100000", "105445aa7843bc8bf206b12000100000 0 0 None");
    }

    #[test]
    fn broken_values_are_none() {
        for value in [
            "",
            "/1;o=1",
            "105445aa7843bc8bf206b1200010000/1",
            "00000000000000000000000000000000/1",
            "105445aa7843bc8bf206b12000100000/",
            "105445aa7843bc8bf206b12000100000/x",
            "105445aa7843bc8bf206b12000100000/18446744073709551616",
        ] {
            check(value, "none");
        }
    }

    #[test]
    fn binary_form_has_numbered_fields() {
        let mut bytes = vec![0, 0];
        bytes.extend(1..=16);
        bytes.push(1);
        bytes.extend(17..=24);
        bytes.extend([2, 1]);
        let expected = "102030405060708090a0b0c0d0e0f10 1112131415161718 0 Some(true)";
        binary(&bytes, expected);
        binary(b"AAABAgMEBQYHCAkKCwwNDg8QARESExQVFhcYAgE", expected);
        binary(b"AAABAgMEBQYHCAkKCwwNDg8QARESExQVFhcYAgE=", expected);
        for end in 0..18 {
            binary(bytes.get(..end).unwrap(), "none");
        }
        binary(bytes.get(..18).unwrap(), "102030405060708090a0b0c0d0e0f10 0 0 None");
        bytes.insert(0, 0);
        binary(&bytes, expected);
        binary(bytes.get(..19).unwrap(), "102030405060708090a0b0c0d0e0f10 0 0 None");
        // A trace id that begins with a zero byte is not taken for the mark.
        binary(&[&[0; 3][..], &[7; 15]].concat(), "70707070707070707070707070707 0 0 None");
        binary(b"AQAB", "none");
        binary(b"A!", "none");
    }
}
