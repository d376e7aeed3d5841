//! W3C `traceparent`: one value in, its ids out. <https://www.w3.org/TR/trace-context/>

use super::{Format, TraceContext, lower_hex};
use crate::reader::Reader;
use std::num::NonZeroU64;

/// Reads `00-{32 hex}-{16 hex}-{2 hex}`; `None` where the specification says to ignore it.
#[must_use]
pub fn parse(value: &[u8]) -> Option<TraceContext<'_>> {
    let mut reader = Reader::new(value);
    let version = lower_hex(reader.take(2)?)?;
    dash(&mut reader)?;
    let text = reader.take(32)?;
    dash(&mut reader)?;
    let span = lower_hex(reader.take(16)?)?;
    dash(&mut reader)?;
    let flags = lower_hex(reader.take(2)?)?;

    // Section 3.2.4: what follows in a higher version starts with a dash; in version 00 nothing may.
    match (version, reader.rest()) {
        (_, []) => {}
        (VERSION_INVALID, _) | (0, _) => return None,
        (_, [b'-', ..]) => {}
        _ => return None,
    }
    // Section 3.2.2.1.
    if version == VERSION_INVALID {
        return None;
    }
    // Sections 3.2.2.3 and 3.2.2.4: ids of zeros only are invalid.
    let trace = lower_hex(text).filter(|trace| *trace != 0)?;
    let span = NonZeroU64::new(u64::try_from(span).ok()?)?;
    Some(TraceContext {
        format: Format::Traceparent,
        text,
        trace,
        span: Some(span),
        parent: None,
        sampled: Some(flags & FLAG_SAMPLED != 0),
    })
}

fn dash(reader: &mut Reader<'_>) -> Option<()> {
    (reader.u8()? == b'-').then_some(())
}

const VERSION_INVALID: u128 = 0xff;
const FLAG_SAMPLED: u128 = 0x01;

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
    const SPAN: u64 = 0xb7ad_6b71_6920_3331;

    fn check(value: &str, expected: Option<bool>) {
        let context = parse(value.as_bytes());
        assert_eq!(context.map(|context| context.sampled == Some(true)), expected, "{value}");
        if let Some(context) = context {
            assert_eq!(context.trace, TRACE);
            assert_eq!(context.span, NonZeroU64::new(SPAN));
            assert_eq!(context.parent, None);
            assert_eq!(context.text, b"0af7651916cd43dd8448eb211c80319c");
        }
    }

    #[test]
    fn sampled_and_unsampled_are_told_apart() {
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Some(true));
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", Some(false));
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03", Some(true));
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02", Some(false));
    }

    #[test]
    fn higher_versions_end_after_the_flags_or_go_on_with_a_dash() {
        check("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Some(true));
        check("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", Some(true));
        check("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.what", None);
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", None);
    }

    #[test]
    fn version_ff_is_invalid() {
        check("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None);
        check("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-", None);
    }

    #[test]
    fn ids_of_zeros_are_invalid() {
        check("00-00000000000000000000000000000000-b7ad6b7169203331-01", None);
        check("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", None);
    }

    #[test]
    fn upper_case_and_other_characters_are_invalid() {
        check("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", None);
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333x-01", None);
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-.1", None);
        check("0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None);
        check("00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None);
    }

    #[test]
    fn every_shorter_value_is_invalid() {
        let whole = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        for end in 0..whole.len() {
            check(&whole[..end], None);
        }
    }
}
