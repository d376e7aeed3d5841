//! `X-Request-ID`: one value in, an id to compare out.

use super::{Format, TraceContext, text_id};

/// Takes the value as an id; `None` where it is empty or longer than [`LENGTH_LIMIT`].
#[must_use]
pub fn parse(value: &[u8]) -> Option<TraceContext<'_>> {
    if value.is_empty() || value.len() > LENGTH_LIMIT {
        return None;
    }
    Some(TraceContext {
        format: Format::RequestId,
        text: value,
        trace: comparable_uuid(value).map_or_else(|| text_id(value), |uuid| text_id(&uuid)),
        span: None,
        parent: None,
        sampled: None,
    })
}

/// A UUID in lower case without the digit that Envoy overwrites with its trace decision on the way.
///
/// <https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-request-id>
fn comparable_uuid(value: &[u8]) -> Option<[u8; 36]> {
    let mut uuid: [u8; 36] = value.try_into().ok()?;
    uuid.make_ascii_lowercase();
    let has_shape = uuid.iter().enumerate().all(|(place, byte)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    if !has_shape {
        return None;
    }
    *uuid.get_mut(DECISION)? = b'0';
    Some(uuid)
}

/// The longest request id that is taken, in bytes.
pub const LENGTH_LIMIT: usize = 256;

const DECISION: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        parse(a.as_bytes()).unwrap().trace == parse(b.as_bytes()).unwrap().trace
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
        assert_eq!(parse(b"AbC").unwrap().text, b"AbC");
    }

    #[test]
    fn empty_and_endless_ids_are_none() {
        assert_eq!(parse(b""), None);
        assert_eq!(parse(&[b'a'; LENGTH_LIMIT + 1]), None);
        assert!(parse(&[b'a'; LENGTH_LIMIT]).is_some());
    }
}
