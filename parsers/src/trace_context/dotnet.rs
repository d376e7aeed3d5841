//! `Request-Id` of .NET: one value in, a context out. Each call adds to the id that it came from.
//! <https://github.com/dotnet/runtime/blob/main/src/libraries/System.Diagnostics.DiagnosticSource/src/HierarchicalRequestId.md>

use super::opaque::LENGTH_LIMIT;
use super::{Format, TraceContext, text_id, text_span};

/// Reads `|{root}.{part}.{part}_{part}.`, whose root is the trace; what has no bar before it is an
/// id without parts.
#[must_use]
pub fn parse(value: &[u8]) -> Option<TraceContext<'_>> {
    if value.is_empty() || value.len() > LENGTH_LIMIT || !value.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    let format = Format::DotNet;
    let Some(parts) = value.strip_prefix(b"|") else {
        let (trace, span, parent) = (text_id(value), None, None);
        return Some(TraceContext { format, text: value, trace, span, parent, sampled: None });
    };
    let end = parts.iter().position(|byte| is_end(*byte))?;
    let root = parts.get(..end).filter(|root| !root.is_empty())?;
    Some(TraceContext {
        format,
        text: value,
        trace: text_id(root),
        span: text_span(value),
        parent: above(value).and_then(text_span),
        sampled: None,
    })
}

/// The id that the one above was called with: what the caller's own work added goes as well, which
/// ends with `_`.
fn above(id: &[u8]) -> Option<&[u8]> {
    let above = without_last(id)?;
    match above.last() {
        Some(b'_') => without_last(above),
        _ => Some(above),
    }
}

/// Without the last part; `None` where that is the root.
fn without_last(id: &[u8]) -> Option<&[u8]> {
    let (_, inner) = id.split_last()?;
    let end = inner.iter().rposition(|byte| is_end(*byte))?;
    inner.get(..=end)
}

fn is_end(byte: u8) -> bool {
    matches!(byte, b'.' | b'_' | b'#')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> TraceContext<'_> {
        parse(value.as_bytes()).unwrap()
    }

    #[test]
    fn call_hangs_under_the_one_that_caused_it() {
        let upper = read("|9e74f0e5-efc4-41b5-86d1-3524a43bd891.1.");
        let lower = read("|9e74f0e5-efc4-41b5-86d1-3524a43bd891.1.da4e9679_3.");
        assert_eq!(upper.trace, lower.trace);
        assert_eq!(lower.parent, upper.span);
        assert_eq!(read("|a.1.2.").parent, read("|a.1.").span);
        assert_eq!(read("|a.").parent, None);
    }

    #[test]
    fn other_ids_are_themselves() {
        assert_eq!(read("40000abc-1").trace, text_id(b"40000abc-1"));
        assert_eq!(read("40000abc-1").span, None);
    }

    #[test]
    fn broken_values_are_none() {
        for value in ["", "|", "|a", "|.1", "a b"] {
            assert_eq!(parse(value.as_bytes()), None, "{value}");
        }
    }
}
