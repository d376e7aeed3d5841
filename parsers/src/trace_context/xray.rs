//! AWS X-Ray's `X-Amzn-Trace-Id`: one value in, its ids out.
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>

use super::{Format, TraceContext, hex, span_number};

/// Reads `Root=1-{8 hex}-{24 hex};Parent={16 hex};Sampled={0|1|?}`, in any order.
#[must_use]
pub fn parse(value: &[u8]) -> Option<TraceContext<'_>> {
    let (mut root, mut parent, mut sampled) = (None, None, None);
    for part in value.split(|byte| *byte == b';') {
        let mut sides = part.splitn(2, |byte| *byte == b'=');
        let (Some(name), Some(value)) = (sides.next(), sides.next()) else { continue };
        let (name, value) = (name.trim_ascii(), value.trim_ascii());
        if name.eq_ignore_ascii_case(b"root") {
            root.get_or_insert(value);
        } else if name.eq_ignore_ascii_case(b"parent") {
            parent.get_or_insert(value);
        } else if name.eq_ignore_ascii_case(b"sampled") {
            sampled.get_or_insert(value);
        }
    }
    let text = root?;
    Some(TraceContext {
        format: Format::XRay,
        text,
        trace: trace_id(text)?,
        span: parent.filter(|span| span.len() == 16).and_then(span_number),
        parent: None,
        sampled: match sampled {
            Some(b"1") => Some(true),
            Some(b"0") => Some(false),
            _ => None,
        },
    })
}

/// The two numbers of `1-{8 hex}-{24 hex}`, one behind the other.
fn trace_id(text: &[u8]) -> Option<u128> {
    let mut fields = text.split(|byte| *byte == b'-');
    let (version, time, random) = (fields.next()?, fields.next()?, fields.next()?);
    if version != b"1" || time.len() != 8 || random.len() != 24 || fields.next().is_some() {
        return None;
    }
    Some(hex(time)? << 96 | hex(random)?).filter(|trace| *trace != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace_context::tests::shown;

    fn check(value: &str, expected: &str) {
        assert_eq!(shown(parse(value.as_bytes())), expected, "{value}");
    }

    const TRACE: &str = "5759e988bd862e3fe1be46a994272793";

    #[test]
    fn fields_stand_in_any_order() {
        check(
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
            &format!("{TRACE} 53995c3f42cd8ad8 0 Some(true)"),
        );
        check(
            "Self=1-67891233-abcdef012345678912345678; sampled=0; Root=1-5759e988-bd862e3fe1be46a994272793",
            &format!("{TRACE} 0 0 Some(false)"),
        );
        check(
            "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=?;Lineage=a:1|b:2",
            &format!("{TRACE} 0 0 None"),
        );
    }

    #[test]
    fn broken_values_are_none() {
        for value in [
            "",
            "Root",
            "Root=",
            "Root=1-5759e988",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e98-bd862e3fe1be46a9942727930",
            "Root=1-00000000-000000000000000000000000",
            "Root=1-5759e988-bd862e3fe1be46a99427279x",
            "Parent=53995c3f42cd8ad8",
            "Root=1-5759e988-bd862e3fe1be46a994272793-1",
        ] {
            check(value, "none");
        }
    }
}
