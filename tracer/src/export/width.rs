//! Texts in columns of a terminal: cut, padded, and without what would do things to it.

use std::borrow::Cow;
use unicode_width::UnicodeWidthChar;

/// Text without what would move or turn the terminal's line: control characters and those that
/// change the direction of writing.
pub(crate) fn clean(bytes: &[u8]) -> Cow<'_, str> {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let text = String::from_utf8_lossy(bytes);
    if text.chars().any(harmful) {
        return text.chars().map(|c| if harmful(c) { '·' } else { c }).collect::<String>().into();
    }
    text
}

/// Pads or cuts a text to so many columns of the terminal, where a character takes 0, 1 or 2.
pub(crate) fn fit(text: &str, columns: usize, out: &mut String) {
    let width = |c: char| c.width().unwrap_or_default();
    let mut cut = None;
    let mut used = 0;
    for (place, c) in text.char_indices() {
        // Here is the last place where an ellipsis fits.
        if cut.is_none() && used + width(c) + 1 > columns {
            cut = Some((place, used));
        }
        used += width(c);
        if used > columns {
            let (place, before) = cut.unwrap_or_default();
            out.push_str(text.get(..place).unwrap_or_default());
            if columns > 0 {
                out.push('…');
            }
            out.extend(std::iter::repeat_n(' ', columns.saturating_sub(before + 1)));
            return;
        }
    }
    out.push_str(text);
    out.extend(std::iter::repeat_n(' ', columns - used));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_never_reach_the_terminal() {
        assert_eq!(clean(b"GET\x1b[2J"), "GET·[2J");
    }

    #[test]
    fn writing_direction_stays() {
        assert_eq!(clean("a\u{202e}b".as_bytes()), "a·b");
    }

    fn fitted(text: &str, columns: usize) -> String {
        let mut out = String::new();
        fit(text, columns, &mut out);
        out
    }

    #[test]
    fn texts_are_padded_and_cut_by_columns() {
        assert_eq!(fitted("ab", 4), "ab  ");
        assert_eq!(fitted("abcd", 4), "abcd");
        assert_eq!(fitted("abcde", 4), "abc…");
        assert_eq!(fitted("abc", 0), "");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(fitted("注文", 5), "注文 ");
        assert_eq!(fitted("注文書", 5), "注文…");
        assert_eq!(fitted("注文書", 4), "注… ");
    }

    #[test]
    fn combining_characters_take_none() {
        assert_eq!(fitted("e\u{301}t", 3), "e\u{301}t ");
        assert_eq!(fitted("e\u{301}te\u{301}", 3), "e\u{301}te\u{301}");
    }
}
