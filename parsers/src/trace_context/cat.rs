//! CAT: the ids of messages in, a context out. The receiver's message has the id that the sender
//! gives it, as with B3.
//! <https://github.com/dianping/cat>

use super::{Format, TraceContext, text_id, text_span};

/// Reads the ids of the root message, of the sender's, and of the receiver's, each
/// `{domain}-{address, 8 hex}-{hours}-{number}`.
#[must_use]
pub fn parse<'b>(
    root: &'b [u8],
    parent: Option<&[u8]>,
    child: Option<&[u8]>,
) -> Option<TraceContext<'b>> {
    Some(TraceContext {
        format: Format::Cat,
        text: Some(root).filter(|root| is_id(root))?,
        trace: text_id(root),
        span: child.filter(|child| is_id(child)).and_then(text_span),
        parent: parent.filter(|parent| is_id(parent)).and_then(text_span),
        sampled: None,
    })
}

/// The domain may have dashes.
fn is_id(text: &[u8]) -> bool {
    let mut fields = text.rsplitn(4, |byte| *byte == b'-');
    let mut next = || fields.next().unwrap_or_default();
    let (number, hours, address, domain) = (next(), next(), next(), next());
    let digits = |field: &[u8]| !field.is_empty() && field.iter().all(u8::is_ascii_digit);
    text.len() <= LENGTH_LIMIT
        && digits(number)
        && digits(hours)
        && address.len() == 8
        && address.iter().all(u8::is_ascii_hexdigit)
        && !domain.is_empty()
        && domain.iter().all(u8::is_ascii_graphic)
}

const LENGTH_LIMIT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receiver_has_the_id_that_the_sender_gave() {
        let upper = parse(b"web-shop-0a010203-450000-1", None, Some(b"cart-0a010204-450000-2"));
        let lower = parse(
            b"web-shop-0a010203-450000-1",
            Some(b"cart-0a010204-450000-2"),
            Some(b"stock-0a010205-450000-3"),
        );
        let (upper, lower) = (upper.unwrap(), lower.unwrap());
        assert_eq!(upper.trace, lower.trace);
        assert!(upper.span.is_some());
        assert_eq!(lower.parent, upper.span);
        assert_ne!(lower.span, upper.span);
    }

    #[test]
    fn broken_values_are_none() {
        for root in [
            "",
            "a-1-2",
            "a-0a01020-1-2",
            "a-0a01020x-1-2",
            "a-0a010203--2",
            "-0a010203-1-2",
            "a-0a010203-1-x",
            "a b-0a010203-1-2",
        ] {
            assert_eq!(parse(root.as_bytes(), None, None), None, "{root}");
        }
    }
}
