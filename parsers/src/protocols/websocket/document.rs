//! A document of GraphQL, as it stands within a string of JSON: what operation of it is asked for.
//! <https://spec.graphql.org/October2021/#sec-Document>

/// An operation: its kind and its name, which may be empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Operation<'b> {
    /// `query`, `mutation` or `subscription`.
    pub(super) kind: &'static [u8],
    pub(super) name: &'b [u8],
}

/// The operation of this name; of an empty one the only operation that there is. Nothing if the
/// document ends before that is clear, or is none.
pub(super) fn operation<'b>(document: &'b [u8], wanted: &[u8]) -> Option<Operation<'b>> {
    let mut cursor = Cursor { rest: document };
    let mut found: Option<Operation<'_>> = None;
    while let Some(token) = cursor.token() {
        let operation = match token {
            Token::Other(b'{') => {
                let whole = cursor.block_end();
                Operation { kind: whole.then_some(b"query")?, name: b"" }
            }
            Token::Word(b"fragment") => {
                if !cursor.definition_end() {
                    return None;
                }
                continue;
            }
            Token::Word(word) => {
                let kind = KINDS.iter().find(|kind| **kind == word)?;
                let name = cursor.name();
                // What is asked for is clear before the document ends, which may be long.
                if !wanted.is_empty() && name == wanted {
                    return Some(Operation { kind, name });
                }
                if !cursor.definition_end() {
                    return None;
                }
                Operation { kind, name }
            }
            _ => return None,
        };
        if wanted.is_empty() && found.replace(operation).is_some() {
            return None;
        }
    }
    found
}

/// What stands in a document next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'b> {
    Word(&'b [u8]),
    /// A string, of one line or several.
    Text,
    /// Anything else, by its byte.
    Other(u8),
}

struct Cursor<'b> {
    rest: &'b [u8],
}

impl<'b> Cursor<'b> {
    /// The next byte of the document, and what follows it; of what is no ASCII, 0xff.
    fn peek(&self) -> Option<(u8, &'b [u8])> {
        let (first, after) = self.rest.split_first()?;
        if *first != b'\\' {
            return Some((*first, after));
        }
        let (escaped, after) = after.split_first()?;
        Some(match escaped {
            b'n' => (b'\n', after),
            b'r' => (b'\r', after),
            b't' => (b'\t', after),
            b'u' => {
                let (digits, after) = after.split_at_checked(4)?;
                let digits = str::from_utf8(digits).ok()?;
                let code = u16::from_str_radix(digits, 16).ok()?;
                (u8::try_from(code).ok().filter(u8::is_ascii).unwrap_or(0xff), after)
            }
            other => (*other, after),
        })
    }

    /// The next token; what is ignored is passed over (section 2.1.7).
    fn token(&mut self) -> Option<Token<'b>> {
        loop {
            let (byte, after) = self.peek()?;
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' | b',' => self.rest = after,
                // A mark of the order of bytes is ignored as well.
                0xef | 0xbb | 0xbf | 0xff => self.rest = after,
                b'#' => {
                    while let Some((byte, after)) = self.peek()
                        && !matches!(byte, b'\n' | b'\r')
                    {
                        self.rest = after;
                    }
                }
                b'"' => {
                    self.rest = after;
                    return self.text().then_some(Token::Text);
                }
                _ if is_name(byte) => {
                    let end = self.rest.iter().position(|byte| !is_name(*byte));
                    let (word, after) = match end {
                        // A name that is written as an escape.
                        Some(0) => (&b""[..], after),
                        end => self.rest.split_at_checked(end.unwrap_or(self.rest.len()))?,
                    };
                    self.rest = after;
                    return Some(Token::Word(word));
                }
                _ => {
                    self.rest = after;
                    return Some(Token::Other(byte));
                }
            }
        }
    }

    /// Passes over a string behind its first quote; whether it ends.
    fn text(&mut self) -> bool {
        let quotes = |cursor: &mut Self| {
            let mut count = 0;
            while count < 3
                && let Some((b'"', after)) = cursor.peek()
            {
                cursor.rest = after;
                count += 1;
            }
            count
        };
        let is_block = match quotes(self) {
            0 => false,
            // The empty one, unless a third quote makes it a block; more would be none.
            1 => return true,
            _ => true,
        };
        loop {
            let Some((byte, after)) = self.peek() else { return false };
            match byte {
                b'"' if !is_block => {
                    self.rest = after;
                    return true;
                }
                b'"' if quotes(self) == 3 => return true,
                b'"' => {}
                b'\\' => {
                    self.rest = after;
                    if let Some((_, after)) = self.peek() {
                        self.rest = after;
                    }
                }
                b'\n' if !is_block => return false,
                _ => self.rest = after,
            }
        }
    }

    /// The name that stands here, or an empty one.
    fn name(&mut self) -> &'b [u8] {
        let before = self.rest;
        match self.token() {
            Some(Token::Word(name)) => name,
            _ => {
                self.rest = before;
                b""
            }
        }
    }

    /// Goes on behind the selection of a definition; whether it ends. A default value of a variable
    /// may have braces too, which stand in parentheses.
    fn definition_end(&mut self) -> bool {
        let mut depth = 0_usize;
        loop {
            match self.token() {
                Some(Token::Other(b'(')) => depth += 1,
                Some(Token::Other(b')')) => depth = depth.saturating_sub(1),
                Some(Token::Other(b'{')) if depth == 0 => return self.block_end(),
                Some(_) => {}
                None => return false,
            }
        }
    }

    /// Goes on behind the brace that closes the one that was read.
    fn block_end(&mut self) -> bool {
        let mut depth = 1_usize;
        loop {
            match self.token() {
                Some(Token::Other(b'{')) => depth += 1,
                Some(Token::Other(b'}')) => {
                    depth -= 1;
                    if depth == 0 {
                        return true;
                    }
                }
                Some(_) => {}
                None => return false,
            }
        }
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

const KINDS: &[&[u8]] = &[b"query", b"mutation", b"subscription"];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &str, wanted: &str, expected: &str) {
        let found = operation(document.as_bytes(), wanted.as_bytes());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let found = found.map(|found| format!("{} {}", text(found.kind), text(found.name)));
        assert_eq!(found.unwrap_or_default(), expected, "{document}");
    }

    #[test]
    fn the_only_operation_is_asked_for() {
        check("{ a }", "", "query ");
        check("query { a }", "", "query ");
        check("mutation Add($a: In = {b: 1}) @x(y: \\\"}\\\") { a }", "", "mutation Add");
        check("\\n\\t subscription Count{count}", "", "subscription Count");
        check("queryAll { a }", "", "");
        check("type A { a: Int }", "", "");
        check("", "", "");
    }

    #[test]
    fn comments_commas_and_fragments_are_passed_over() {
        check("# query A { a }\\nmutation B { b }", "", "mutation B");
        check("\\ufeff,, # {\\r\\n ,subscription B { b }", "", "subscription B");
        check("fragment F on T { a { b } # }\\n }\\nmutation M { ...F }", "", "mutation M");
        check(
            "{ a(b: \\\"\\\"\\\"}\\\"}\\\"\\\"\\\", c: \\\"\\\") } fragment F on T { a }",
            "",
            "query ",
        );
        check("{ a(b: \\\"\\\\\\\"}\\\") }", "", "query ");
    }

    #[test]
    fn of_several_the_name_says_which() {
        let two = "query A { a } mutation B { b }";
        check(two, "B", "mutation B");
        check(two, "A", "query A");
        check(two, "C", "");
        check(two, "", "");
        check("{ a }", "A", "");
    }

    #[test]
    fn what_is_cut_says_what_is_clear() {
        check("mutation B { b", "B", "mutation B");
        check("mutation B { b", "", "");
    }
}
