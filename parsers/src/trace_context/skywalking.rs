//! SkyWalking's `sw8`, `sw6` and `sw3`: one value in, its ids out.
//! <https://skywalking.apache.org/docs/main/next/en/api/x-process-propagation-headers-v3/>

use super::{Format, TraceContext, base64, opaque, text_id, text_span};

/// Reads `{0|1}-{trace}-{segment}-{span}-…`, ids in base64; `room` takes the decoded trace id.
#[must_use]
pub fn parse<'r>(format: Format, value: &[u8], room: &'r mut Vec<u8>) -> Option<TraceContext<'r>> {
    if value.len() > LENGTH_LIMIT {
        return None;
    }
    let mut fields = value.split(|byte| *byte == b'-');
    let sampled = fields.next()?;
    *room = base64(fields.next()?)?;
    let segment = base64(fields.next()?)?;
    let span = fields.next()?;
    let is_number = !span.is_empty() && span.iter().all(u8::is_ascii_digit);
    // Of version 8 all eight fields must be there, as of version 6 all nine.
    let rest = fields.count();
    if !is_number || rest < FIELDS_BEHIND || segment.is_empty() {
        return None;
    }
    Some(TraceContext {
        format,
        text: printable(room)?,
        trace: text_id(room),
        span: text_span(&[&segment[..], b"-", span].concat()),
        parent: None,
        sampled: match sampled {
            b"1" => Some(true),
            b"0" => Some(false),
            _ => None,
        },
    })
}

/// Reads `{segment}|{span}|{instance}|{instance}|{address}|{entry}|{parent entry}|{trace}|{sampled}`.
#[must_use]
pub fn parse_sw3(value: &[u8]) -> Option<TraceContext<'_>> {
    if value.len() > LENGTH_LIMIT {
        return None;
    }
    let mut fields = value.split(|byte| *byte == b'|');
    let segment = fields.next().filter(|segment| !segment.is_empty())?;
    let span = fields.next()?;
    let text = printable(fields.nth(5)?)?;
    Some(TraceContext {
        format: Format::Sw3,
        text,
        trace: text_id(text),
        span: text_span(&[segment, b"-", span].concat()),
        parent: None,
        sampled: match fields.next() {
            Some(b"1") => Some(true),
            Some(b"0") => Some(false),
            _ => None,
        },
    })
}

fn printable(text: &[u8]) -> Option<&[u8]> {
    let fits = (1..=opaque::LENGTH_LIMIT).contains(&text.len());
    Some(text).filter(|text| fits && text.iter().all(u8::is_ascii_graphic))
}

const FIELDS_BEHIND: usize = 4;

/// The longest value that is read, in bytes; the specification allows 2 KiB.
const LENGTH_LIMIT: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace_context::tests::encoded;

    fn sw8(trace: &str, segment: &str, span: &str) -> String {
        let [trace, segment] = [trace, segment].map(|id| encoded(id.as_bytes()));
        format!(
            "1-{trace}-{segment}-{span}-c2VydmljZQ==-aW5zdGFuY2U=-L2FwcA==-MTI3LjAuMC4xOjgwODA="
        )
    }

    /// Text, trace, span and decision.
    fn read(value: &str) -> Option<[String; 4]> {
        let mut room = Vec::new();
        let context = parse(Format::Sw8, value.as_bytes(), &mut room)?;
        let text = String::from_utf8_lossy(context.text).into_owned();
        let [trace, span] = [format!("{:x}", context.trace), format!("{:?}", context.span)];
        Some([text, trace, span, format!("{:?}", context.sampled)])
    }

    #[test]
    fn ids_are_decoded_and_the_span_is_that_of_its_segment() {
        let [text, trace, span, sampled] = read(&sw8("7a.37.16", "7a.37.15", "3")).unwrap();
        assert_eq!([text.as_str(), &sampled], ["7a.37.16", "Some(true)"]);
        let other = |a, b, c| read(&sw8(a, b, c)).unwrap();
        assert_ne!(other("7a.37.16", "7a.37.15", "4")[2], span);
        assert_ne!(other("7a.37.16", "7a.37.14", "3")[2], span);
        assert_ne!(other("7a.37.17", "7a.37.15", "3")[1], trace);
    }

    #[test]
    fn padding_may_lack() {
        let whole = sw8("7a.37.16", "7a.37.15", "3");
        assert_eq!(read(&whole.replace('=', "")), read(&whole));
    }

    #[test]
    fn broken_values_are_none() {
        let whole = sw8("7a", "7b", "3");
        let last = whole.rfind('-').unwrap();
        for end in 0..last {
            assert_eq!(read(&whole[..end]), None, "{end}");
        }
        assert_eq!(read(&sw8("", "7b", "3")), None);
        assert_eq!(read(&sw8("a b", "7b", "3")), None);
        assert_eq!(read(&sw8("7a", "7b", "x")), None);
        assert_eq!(read(&whole.replacen("1-", "1-!", 1)), None);
    }

    #[test]
    fn older_version_has_bars() {
        let value = b"1.234.111|3|1|1|#127.0.0.1:8080|#/portal|#/testEntrySpan|1.2343.234234234|1";
        let context = parse_sw3(value).unwrap();
        assert_eq!((context.text, context.sampled), (&b"1.2343.234234234"[..], Some(true)));
        assert!(context.span.is_some());
        assert_eq!(parse_sw3(b"1.234.111|3|1|1|#127.0.0.1:8080|#/portal|#/testEntrySpan"), None);
        assert_eq!(parse_sw3(b"|3|1|1|#a|#b|#c|1.2|1"), None);
        assert_eq!(parse_sw3(b"1|3|1|1|#a|#b|#c||1"), None);
    }
}
