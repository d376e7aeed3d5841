//! What Connect ends a call with: the code and the text of an error, out of a piece of JSON.
//! <https://connectrpc.com/docs/protocol#error-end-stream>

/// An error; the text may be empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ErrorBody {
    pub(super) code: Option<u32>,
    pub(super) message: Vec<u8>,
    /// Whether the JSON has come to its end.
    pub(super) is_whole: bool,
}

impl ErrorBody {
    /// Reads the error that is the whole JSON, or its member `error`.
    pub(super) fn read(json: &[u8], within: Within) -> Self {
        let mut found = Self::default();
        found.is_whole = walk(json, |path, value| {
            let name = match (within, path) {
                (Within::Nothing, [name]) => *name,
                (Within::Error, [b"error", name]) => *name,
                _ => return,
            };
            match name {
                b"code" => found.code = found.code.or_else(|| super::status::named(value)),
                b"message" if found.message.is_empty() => found.message = unescaped(value),
                _ => {}
            }
        })
        .is_some();
        found
    }
}

/// Where the error stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    Nothing,
    Error,
}

/// Calls `each` with the names down to each string in an object, and the string; `None` if the text
/// breaks off or is too deep.
fn walk(json: &[u8], mut each: impl FnMut(&[&[u8]], &[u8])) -> Option<()> {
    // The names above the present place; for an array none, which matches nothing.
    let mut path: Vec<&[u8]> = Vec::new();
    let mut name: Option<&[u8]> = None;
    let mut rest = json;
    loop {
        let (byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'{' | b'[' => {
                if path.len() >= DEPTH_LIMIT {
                    return None;
                }
                path.push(name.take().unwrap_or_default());
                if *byte == b'[' {
                    name = Some(b"");
                }
            }
            b'}' | b']' => {
                path.pop()?;
                name = None;
                if path.is_empty() {
                    return Some(());
                }
            }
            b',' => name = None,
            b'"' => {
                let length = string_length(rest)?;
                let (text, after) = rest.split_at_checked(length)?;
                rest = after.get(1..)?;
                let is_name = rest.trim_ascii_start().starts_with(b":");
                match name {
                    _ if is_name => name = Some(text),
                    Some(last) if !last.is_empty() => {
                        // The first one stands for the whole.
                        let mut names: Vec<&[u8]> = path.iter().skip(1).copied().collect();
                        names.push(last);
                        each(&names, text);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

/// Bytes up to the quote that ends a string.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let Some((escape, after)) = after.split_first().filter(|_| *byte == b'\\') else {
            plain.push(*byte);
            continue;
        };
        rest = after;
        match escape {
            b'n' => plain.push(b'\n'),
            b't' => plain.push(b'\t'),
            b'r' => plain.push(b'\r'),
            b'u' => {
                let digits = rest.get(..4).and_then(|digits| str::from_utf8(digits).ok());
                let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                rest = rest.get(4..).unwrap_or_default();
                // Halves of a pair are shown as what cannot be shown.
                let letter = number.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
                plain.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => plain.push(*other),
        }
    }
    plain
}

/// Levels of objects and arrays.
const DEPTH_LIMIT: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, within: Within, code: Option<u32>, message: &str, is_whole: bool) {
        let expected = ErrorBody { code, message: message.into(), is_whole };
        assert_eq!(ErrorBody::read(json.as_bytes(), within), expected, "{json}");
    }

    #[test]
    fn errors_are_read() {
        use Within::{Error, Nothing};
        check(r#"{"code":"not_found","message":"no"}"#, Nothing, Some(5), "no", true);
        let long = r#" { "details": [{"code": "internal"}, "message"], "message": "a \"b\" \u00e9",
            "code": "unavailable" } "#;
        check(long, Nothing, Some(14), "a \"b\" é", true);
        let end = r#"{"metadata":{"code":["x"]},"error":{"code":"canceled","message":"m"}}"#;
        check(end, Error, Some(1), "m", true);
        check("{}", Error, None, "", true);
        check(r#"{"code":"internal"}"#, Error, None, "", true);
        check(r#"{"code":"internal","mess"#, Nothing, Some(13), "", false);
        check(r#"{"code":null,"message":"a"}"#, Nothing, None, "a", true);
        check(r#"["code","internal"]"#, Nothing, None, "", true);
        check("", Nothing, None, "", false);
        check(&"[".repeat(99), Nothing, None, "", false);
    }
}
