//! Texts in columns of a terminal: cut, padded, and without what would do things to it.

use std::borrow::Cow;
use unicode_width::UnicodeWidthChar;

/// Text without what would move or turn the terminal's line: control characters and those that
/// change the direction of writing. Nor does it keep what joins characters, since terminals do not
/// agree how wide the result is.
pub(crate) fn clean(bytes: &[u8]) -> Cow<'_, str> {
    if bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return String::from_utf8_lossy(bytes);
    }
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}')
    };
    let joins = |c: char| {
        matches!(c, '\u{ad}' | '\u{34f}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
    };
    let text = String::from_utf8_lossy(bytes);
    if text.chars().any(|c| harmful(c) || joins(c)) {
        let kept = text.chars().filter(|c| !joins(*c));
        return kept.map(|c| if harmful(c) { '·' } else { c }).collect::<String>().into();
    }
    text
}

/// Pads or cuts a text to so many columns of the terminal, where a character takes 0, 1 or 2.
pub(crate) fn fit(text: &str, columns: usize, out: &mut String) {
    if text.is_ascii() && text.len() <= columns {
        out.push_str(text);
        pad(columns - text.len(), out);
        return;
    }
    let mut cut = None;
    let mut used = 0;
    let mut turns = false;
    for (place, c) in text.char_indices() {
        // Here is the last place where an ellipsis fits.
        if cut.is_none() && used + width(c) + 1 > columns {
            cut = Some((place, used, turns));
        }
        used += width(c);
        if used > columns {
            let (place, before, turns) = cut.unwrap_or_default();
            out.push_str(text.get(..place).unwrap_or_default());
            if columns > 0 {
                turn_back(turns, out);
                out.push('…');
            }
            pad(columns.saturating_sub(before + 1), out);
            return;
        }
        turns |= is_right_to_left(c);
    }
    out.push_str(text);
    turn_back(turns, out);
    pad(columns - used, out);
}

/// Adds a text at the right of so many columns.
pub(crate) fn add_right(text: &str, wide: usize, out: &mut String) {
    pad(wide.saturating_sub(columns(text)), out);
    out.push_str(text);
}

/// The columns that a text takes.
pub(crate) fn columns(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().map(width).sum() }
}

/// Pieces of a text, none wider than so many columns; cut behind a space where there is one.
pub(crate) fn folded(text: &str, columns: usize) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut used = 0;
        let mut space = None;
        for (place, c) in text.char_indices() {
            used += width(c);
            if used > columns && place > 0 {
                let piece = text.split_at(space.unwrap_or(place));
                rest = Some(piece.1);
                return Some(piece.0);
            }
            if c == ' ' && used > columns / 4 {
                space = Some(place + 1);
            }
        }
        rest = None;
        Some(text)
    })
}

/// Adds a text as it is, or only what a terminal of no more than ASCII can show.
pub(crate) fn add_text(text: &str, ascii: bool, out: &mut Vec<u8>) {
    if ascii {
        add_ascii(text, out);
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

/// Adds a text to which nothing but ASCII is left, each other character as wide as it was.
fn add_ascii(text: &str, out: &mut Vec<u8>) {
    for c in text.chars() {
        let plain = match c {
            '\0'..='\x7f' => c as u8,
            '█' => b'#',
            '░' | '·' => b'.',
            '─' => b'-',
            '│' => b'|',
            '├' => b'|',
            '└' => b'`',
            '…' => b'~',
            '×' => b'x',
            'µ' => b'u',
            c => {
                out.extend(std::iter::repeat_n(b'?', width(c)));
                continue;
            }
        };
        out.push(plain);
    }
}

fn pad(columns: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', columns));
}

fn width(c: char) -> usize {
    c.width().unwrap_or_default()
}

/// Keeps what follows a text of right-to-left letters in its place: a terminal that turns such
/// texts would else turn the numbers behind it too.
fn turn_back(turns: bool, out: &mut String) {
    if turns {
        out.push('\u{200e}');
    }
}

/// Whether a letter belongs to a script that is written from right to left.
fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
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

    #[test]
    fn what_follows_letters_from_right_to_left_stays_in_place() {
        assert_eq!(fitted("שלום", 6), "שלום\u{200e}  ");
        assert_eq!(fitted("שלום", 3), "של\u{200e}…");
    }

    #[test]
    fn joined_characters_stand_apart() {
        assert_eq!(clean("👩\u{200d}💻 ☎\u{fe0f}".as_bytes()), "👩💻 ☎");
    }

    #[test]
    fn long_texts_go_on_in_the_next_line() {
        let pieces = |text: &'static str, columns| folded(text, columns).collect::<Vec<_>>();
        assert_eq!(pieces("one two three", 8), ["one two ", "three"]);
        assert_eq!(pieces("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(pieces("注文書", 5), ["注文", "書"]);
        assert_eq!(pieces("注文", 1), ["注", "文"]);
        assert_eq!(pieces("", 3), [""]);
    }

    #[test]
    fn without_unicode_each_column_keeps_its_place() {
        let text = "├─ 注 500 × a… █░ 9 µs é";
        let mut out = Vec::new();
        add_ascii(text, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "|- ?? 500 x a~ #. 9 us ?");
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
