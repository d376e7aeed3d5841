//! Ids that stand for themselves, such as `X-Request-ID`: one value in, an id to compare out.

use super::{Format, TraceContext, hex, text_id};

/// Takes the value as an id; `None` where it is empty or longer than [`LENGTH_LIMIT`].
#[must_use]
pub fn parse(format: Format, value: &[u8]) -> Option<TraceContext<'_>> {
    if value.is_empty() || value.len() > LENGTH_LIMIT {
        return None;
    }
    let trace = match format {
        Format::RequestId => {
            comparable_uuid(value).map_or_else(|| text_id(value), |uuid| text_id(&uuid))
        }
        // The same trace may be named in another format beside it.
        Format::XTraceId | Format::TraceId => number(value).unwrap_or_else(|| text_id(value)),
        _ => text_id(value),
    };
    Some(TraceContext { format, text: value, trace, span: None, parent: None, sampled: None })
}

/// Of Tingyun's `c={caller};x={id}`, the id.
#[must_use]
pub fn parse_tingyun(value: &[u8]) -> Option<TraceContext<'_>> {
    let mut fields = value.split(|byte| *byte == b';');
    let id = fields.find_map(|field| field.trim_ascii().strip_prefix(b"x="))?;
    parse(Format::Tingyun, id)
}

/// A trace id of 64 or 128 bits, also with the dashes of a UUID.
fn number(value: &[u8]) -> Option<u128> {
    let number = match uuid(value) {
        Some(uuid) => {
            let digits = uuid.iter().filter(|byte| **byte != b'-');
            digits.fold(0, |number: u128, digit| number << 4 | u128::from(super::value(*digit)))
        }
        None if matches!(value.len(), 16 | 32) => hex(value)?,
        None => return None,
    };
    Some(number).filter(|number| *number != 0)
}

/// A UUID in lower case.
fn uuid(value: &[u8]) -> Option<[u8; 36]> {
    let mut uuid: [u8; 36] = value.try_into().ok()?;
    uuid.make_ascii_lowercase();
    let has_shape = uuid.iter().enumerate().all(|(place, byte)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    has_shape.then_some(uuid)
}

/// A UUID in lower case without the digit that Envoy overwrites with its trace decision on the way.
///
/// <https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-request-id>
fn comparable_uuid(value: &[u8]) -> Option<[u8; 36]> {
    let mut uuid = uuid(value)?;
    *uuid.get_mut(DECISION)? = b'0';
    Some(uuid)
}

/// The longest id that is taken, in bytes.
pub const LENGTH_LIMIT: usize = 256;

const DECISION: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        parse(Format::RequestId, a.as_bytes()).unwrap().trace
            == parse(Format::RequestId, b.as_bytes()).unwrap().trace
    }

    #[test]
    fn digit_that_envoy_overwrites_does_not_count() {
        let sent = "6b1c7e0e-2f5a-4d3c-9a77-0c6f5b1e2d3f";
        assert!(same(sent, "6b1c7e0e-2f5a-9d3c-9a77-0c6f5b1e2d3f"));
        assert!(same(sent, "6B1C7E0E-2F5A-AD3C-9A77-0C6F5B1E2D3F"));
        assert!(!same(sent, "6b1c7e0e-2f5a-4e3c-9a77-0c6f5b1e2d3f"));
    }

    #[test]
    fn other_ids_compare_byte_by_byte() {
        assert!(same("req-1", "req-1"));
        assert!(!same("req-1", "REQ-1"));
        // 36 characters, but no UUID.
        assert!(!same(
            "xb1c7e0e-2f5a-4d3c-9a77-0c6f5b1e2d3f",
            "xb1c7e0e-2f5a-9d3c-9a77-0c6f5b1e2d3f"
        ));
    }

    #[test]
    fn text_is_kept_as_it_was_sent() {
        assert_eq!(parse(Format::RequestId, b"AbC").unwrap().text, b"AbC");
    }

    #[test]
    fn empty_and_endless_ids_are_none() {
        assert_eq!(parse(Format::RequestId, b""), None);
        assert_eq!(parse(Format::RequestId, &[b'a'; LENGTH_LIMIT + 1]), None);
        assert!(parse(Format::RequestId, &[b'a'; LENGTH_LIMIT]).is_some());
    }

    #[test]
    fn trace_ids_of_digits_are_numbers() {
        let read = |value: &'static str| parse(Format::XTraceId, value.as_bytes()).unwrap().trace;
        let number = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
        assert_eq!(read("0af7651916cd43dd8448eb211c80319c"), number);
        assert_eq!(read("0AF76519-16cd-43dd-8448-eb211c80319c"), number);
        assert_eq!(read("64fe8b2a57d3eff7"), 0x64fe_8b2a_57d3_eff7);
        assert_eq!(read("1234"), text_id(b"1234"));
        assert_eq!(read("0000000000000000"), text_id(b"0000000000000000"));
    }

    #[test]
    fn tingyun_has_a_list() {
        let read = |value: &'static str| parse_tingyun(value.as_bytes()).map(|read| read.text);
        assert_eq!(read("c=B|4Nl_NnGbjwY;x=fa6ed3435b5f4fbb"), Some(&b"fa6ed3435b5f4fbb"[..]));
        assert_eq!(read("c=1;x="), None);
        assert_eq!(read("c=1"), None);
    }
}
