//! SOFATracer and EagleEye: a trace id and the place of a call in its tree in, a context out.
//! <https://www.sofastack.tech/en/projects/sofa-tracer/traceid-generated-rule/>

use super::{Format, TraceContext, text_id, text_span};
use memchr::memrchr;

/// Reads a trace id, letters and digits, and where it is there the place of the call, such as
/// `0.1.2`, which is the second call within the call `0.1`.
#[must_use]
pub fn parse<'b>(
    format: Format,
    trace: &'b [u8],
    place: Option<&[u8]>,
) -> Option<TraceContext<'b>> {
    let is_id = (SHORTEST..=LONGEST).contains(&trace.len())
        && trace.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
    if !is_id {
        return None;
    }
    let place = place.filter(|place| is_place(place));
    let above = place.and_then(|place| place.get(..memrchr(b'.', place)?));
    Some(TraceContext {
        format,
        text: trace,
        trace: text_id(trace),
        span: place.and_then(text_span),
        parent: above.and_then(text_span),
        sampled: None,
    })
}

/// Trace id and place of `sofaTraceId={id}&sofaRpcId={place}&…`.
#[must_use]
pub fn of_list(list: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
    let value = |name: &[u8]| {
        let mut pairs = list.split(|byte| *byte == b'&');
        pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix(b"="))
    };
    (value(b"sofaTraceId"), value(b"sofaRpcId"))
}

fn is_place(text: &[u8]) -> bool {
    let is_number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    text.len() <= LONGEST && text.split(|byte| *byte == b'.').all(is_number)
}

/// An address, a time and a number have at least so many digits.
const SHORTEST: usize = 16;
const LONGEST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &[u8] = b"0ad1348f1403169275002100356696";

    fn read(place: &str) -> TraceContext<'static> {
        parse(Format::Sofa, TRACE, Some(place.as_bytes())).unwrap()
    }

    #[test]
    fn places_are_a_tree() {
        assert_eq!(read("0.1.2").parent, read("0.1").span);
        assert_eq!(read("0.1.12").parent, read("0.1").span);
        assert_eq!(read("0.1").parent, read("0").span);
        assert_eq!(read("0").parent, None);
        assert_ne!(read("0.1").span, read("0.2").span);
    }

    #[test]
    fn broken_places_are_left_out() {
        for place in ["", ".", "0.", "0..1", "a", "0.a", "0.1 "] {
            assert_eq!((read(place).span, read(place).parent), (None, None), "{place}");
        }
    }

    #[test]
    fn broken_ids_are_none() {
        for trace in [&b""[..], b"0ad1348f1403169", b"0ad1348f1403169275002100356 96"] {
            assert_eq!(parse(Format::EagleEye, trace, None), None);
        }
    }

    #[test]
    fn both_may_stand_in_one_value() {
        let list = b"sofaRpcId=0.1&sofaTraceId=0ad1348f1403169275002100356696&sofaPenAttrs=";
        assert_eq!(of_list(list), (Some(TRACE), Some(&b"0.1"[..])));
        assert_eq!(of_list(b"sofaTraceIds=1&x"), (None, None));
    }
}
