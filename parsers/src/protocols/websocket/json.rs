//! The members of an object of JSON, without a tree.

/// A value as it stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'b> {
    /// With its quotes.
    String(&'b [u8]),
    Number(&'b [u8]),
    /// With its braces.
    Object(&'b [u8]),
    /// With its brackets.
    Array(&'b [u8]),
    /// `null`, `true`, `false`.
    Word(&'b [u8]),
}

impl<'b> Value<'b> {
    /// What is between the quotes of a string.
    pub(super) fn string(self) -> Option<&'b [u8]> {
        if let Self::String(text) = self { text.get(1..text.len() - 1) } else { None }
    }

    /// A string or a number, as an id is, as it stands there: `1` and `"1"` are two.
    pub(super) fn id(self) -> Option<&'b [u8]> {
        match self {
            Self::String(text) | Self::Number(text) => Some(text),
            _ => None,
        }
    }

    /// A string without its quotes, or a number.
    pub(super) fn text(self) -> Option<&'b [u8]> {
        self.string().or_else(|| self.id())
    }

    pub(super) fn object(self) -> Option<&'b [u8]> {
        if let Self::Object(text) = self { Some(text) } else { None }
    }
}

/// Tells the members of the object at the start of the text, in order. Says whether it is whole.
pub(super) fn members<'b>(text: &'b [u8], tell: &mut dyn FnMut(&'b [u8], Value<'b>)) -> bool {
    each(text, b'{', b'}', tell)
}

/// Tells the elements of the array at the start of the text, in order. Says whether it is whole.
pub(super) fn elements<'b>(text: &'b [u8], tell: &mut dyn FnMut(Value<'b>)) -> bool {
    each(text, b'[', b']', &mut |_, value| tell(value))
}

fn each<'b>(
    text: &'b [u8],
    open: u8,
    close: u8,
    tell: &mut dyn FnMut(&'b [u8], Value<'b>),
) -> bool {
    let Some(mut rest) = space(text).strip_prefix(&[open]) else { return false };
    rest = space(rest);
    if rest.first() == Some(&close) {
        return true;
    }
    loop {
        let mut name: &[u8] = b"";
        if open == b'{' {
            let Some((found @ Value::String(_), after)) = value(space(rest)) else { return false };
            let found = found.string().unwrap_or_default();
            let Some(after) = space(after).strip_prefix(b":") else { return false };
            (name, rest) = (found, after);
        }
        let Some((found, after)) = value(space(rest)) else { return false };
        tell(name, found);
        match space(after).split_first() {
            Some((b',', after)) => rest = after,
            Some((byte, _)) => return *byte == close,
            None => return false,
        }
    }
}

/// The value at the start of the text, and what follows it.
fn value(text: &[u8]) -> Option<(Value<'_>, &[u8])> {
    match text.first()? {
        b'"' => {
            let (whole, after) = text.split_at_checked(string_end(text)?)?;
            Some((Value::String(whole), after))
        }
        first @ (b'{' | b'[') => {
            let end = nested_end(text)?;
            let (whole, after) = text.split_at_checked(end)?;
            let value = if *first == b'{' { Value::Object(whole) } else { Value::Array(whole) };
            Some((value, after))
        }
        first => {
            let is_end =
                |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
            let (word, after) = text.split_at_checked(text.iter().position(is_end)?)?;
            let is_number = first.is_ascii_digit() || *first == b'-';
            let is_word = || matches!(word, b"null" | b"true" | b"false");
            match word {
                _ if is_number => Some((Value::Number(word), after)),
                _ if is_word() => Some((Value::Word(word), after)),
                _ => None,
            }
        }
    }
}

/// The length of the string at the start of the text, with its quotes.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        let found = memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        at += found;
        if text.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The length of the object or array at the start of the text. Which bracket closes which is not
/// looked at.
fn nested_end(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        match text.get(at)? {
            b'"' => {
                at += string_end(text.get(at..)?)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

fn space(text: &[u8]) -> &[u8] {
    text.trim_ascii_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str)], whole: bool) {
        let mut found = Vec::new();
        let ended = members(text.as_bytes(), &mut |name, value| {
            found.push((String::from_utf8_lossy(name).into_owned(), format!("{value:?}")));
        });
        assert_eq!(ended, whole, "{found:?}");
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((name, value), (wanted, kind)) in found.iter().zip(expected) {
            assert_eq!(name, wanted);
            assert!(value.starts_with(kind), "{value}");
        }
    }

    #[test]
    fn members_come_in_order() {
        check(" {}", &[], true);
        check("{\"a\":1, \"b\" : \"x\\\"}\" }", &[("a", "Number"), ("b", "String")], true);
        check(
            "{\"a\":{\"b\":[1,\"]\"]},\"c\":[],\"d\":null}",
            &[("a", "Object"), ("c", "Array"), ("d", "Word")],
            true,
        );
    }

    #[test]
    fn what_is_cut_or_none_is_not_whole() {
        check("{\"a\":1,\"b\":\"x", &[("a", "Number")], false);
        check("{\"a\":1,\"b\":12", &[("a", "Number")], false);
        check("[1]", &[], false);
        check("{\"a\":x}", &[], false);
        check("{\"a\" 1}", &[], false);
    }

    #[test]
    fn elements_come_in_order() {
        let mut count = 0;
        assert!(elements(b"[{\"a\":[1]}, 2 ,\"x\"]", &mut |_| count += 1));
        assert_eq!(count, 3);
    }
}
