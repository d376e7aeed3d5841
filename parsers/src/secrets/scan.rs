//! Finds secrets in texts whose form nobody told: JSON, XML, forms, or what a log would hold.
//!
//! In come bytes in pieces of any size, out go the ranges of those that belong to a value whose name
//! says that it is secret. Where the form is unclear, rather more than less is a secret.
//!
//! ```text
//!             name, then : or =           "  '          until the same quote
//!  Scanning ─────────────────────▶ Before ─────▶ Quoted ──────────────────────▶ Scanning
//!     │ │                             │  { [        until the bracket closes
//!     │ │                             ├─────▶ Nested ──────────────────────▶
//!     │ │ <name …>                    │           , & ; or the end of the line
//!     │ └─────────▶ Element           └─────▶ Bare ──────────────────────────▶
//!     │              until </name>
//!     │ name="…", then an empty line      until a line that begins with --
//!     └─────────────────────────────▶ Part ────────────────────────────────▶
//! ```

use super::Secrets;
use memchr::{memchr3, memchr3_iter};
use smallvec::SmallVec;
use std::ops::Range;

/// Reads one text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scanner {
    state: State,
    /// The latest name, its last [`NAME_LIMIT`] bytes.
    name: SmallVec<[u8; NAME_LIMIT]>,
    /// Where reading stands in relation to it.
    stands: Stands,
    /// Whether the name was in quotes.
    quoted: bool,
    /// The byte before.
    last: u8,
    /// Whether a tag is open, and whether its name is one of a secret.
    tag: Tag,
    /// The value of `name`, `key` or `id` comes next.
    naming: bool,
    /// It was the name of a secret, whose value is told under another name, such as `value`.
    named: bool,
    /// Line ends in a row.
    line_ends: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Scanning,
    /// A separator has come after the name of a secret; backslashes stand before the quote.
    Before { separator: u8, backslashes: u32 },
    /// In quotes; so many backslashes belong to the quote itself.
    Quoted { quote: u8, backslashes: u32, run: u32 },
    /// A value without quotes.
    Bare { ends: Ends },
    /// An object or array, so many levels deep.
    Nested { depth: u32, quote: Option<u8>, escaped: bool },
    /// The text of an element, so many levels deep.
    Element { depth: u32, markup: Markup },
    /// A part of a form; `dashes` of a boundary have come behind a line end.
    Part { dashes: Option<u8> },
}

/// Where a value without quotes ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// `name=value`.
    Parameter,
    /// `"name": value`, a number or a word.
    Json,
    /// `name: value`, up to the end of the line.
    Line,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stands {
    /// There is none, or what follows does not belong to it.
    #[default]
    Nowhere,
    Within,
    /// Quotes and spaces have come after it.
    Behind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Tag {
    #[default]
    None,
    Open,
    Secret,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Markup {
    /// Text, which is secret.
    Text,
    /// `<` has come.
    Begins,
    Opening,
    Closing,
    /// A comment or CDATA, which is as secret as text.
    Special,
}

impl Scanner {
    /// Reads on; `found` is told which bytes of the piece are secret.
    pub(crate) fn read(
        &mut self,
        secrets: &Secrets,
        piece: &[u8],
        found: &mut dyn FnMut(Range<usize>),
    ) {
        let mut first = None;
        let mut place = 0;
        while let Some((byte, rest)) = piece.get(place..).and_then(<[u8]>::split_first) {
            match (self.is_secret(secrets, *byte), first) {
                (true, None) => first = Some(place),
                (false, Some(start)) => {
                    found(start..place);
                    first = None;
                }
                _ => {}
            }
            self.last = *byte;
            place += 1;
            // Most bytes are those of names, behind the first one.
            if self.state == State::Scanning && self.stands == Stands::Within {
                let length = rest.iter().position(|byte| !is_name(*byte)).unwrap_or(rest.len());
                let run = rest.get(..length).unwrap_or_default();
                self.push(run);
                self.last = *run.last().unwrap_or(byte);
                place += length;
            }
        }
        if let Some(start) = first {
            found(start..piece.len());
        }
    }

    /// Whether the next byte belongs to a secret.
    fn is_secret(&mut self, secrets: &Secrets, byte: u8) -> bool {
        match self.state {
            State::Scanning => {
                self.scan(secrets, byte);
                false
            }
            State::Before { separator, backslashes } => self.begin(separator, backslashes, byte),
            State::Quoted { quote, backslashes, run } => {
                if byte == quote && (run <= backslashes || (backslashes == 0 && run % 2 == 0)) {
                    self.state = State::Scanning;
                    self.stands = Stands::Nowhere;
                    if std::mem::take(&mut self.naming) {
                        self.named = secrets.has(&self.name);
                    }
                    return false;
                }
                if self.naming {
                    self.push(&[byte]);
                }
                let run = if byte == b'\\' { run.saturating_add(1) } else { 0 };
                self.state = State::Quoted { quote, backslashes, run };
                true
            }
            State::Bare { ends } => {
                let is_end = match ends {
                    Ends::Parameter => matches!(byte, b'&' | b'<' | b'"' | b'\'' | 0..=b' '),
                    Ends::Json => matches!(byte, b',' | b'}' | b']' | b'"' | 0..=b' '),
                    Ends::Line => matches!(byte, b'\r' | b'\n' | b'"' | b'<'),
                };
                if is_end {
                    self.resume(secrets, byte);
                }
                !is_end
            }
            State::Nested { depth, quote, escaped } => self.nested(depth, quote, escaped, byte),
            State::Element { depth, markup } => self.element(depth, markup, byte),
            State::Part { dashes } => {
                let dashes = match (byte, dashes) {
                    (b'\n', _) => Some(0),
                    (b'-', Some(1)) => {
                        self.state = State::Scanning;
                        return false;
                    }
                    (b'-', Some(0)) => Some(1),
                    _ => None,
                };
                self.state = State::Part { dashes };
                // Line ends stay, so that the form can still be read.
                dashes.is_none() && byte != b'\r'
            }
        }
    }

    /// Goes on behind a value.
    fn resume(&mut self, secrets: &Secrets, byte: u8) {
        self.state = State::Scanning;
        self.stands = Stands::Nowhere;
        self.scan(secrets, byte);
    }

    fn scan(&mut self, secrets: &Secrets, byte: u8) {
        if is_name(byte) {
            if self.stands != Stands::Within {
                self.name.clear();
                self.quoted = matches!(self.last, b'"' | b'\'');
                self.stands = Stands::Within;
                if self.last == b'<' {
                    self.tag = Tag::Open;
                }
            }
            self.push(&[byte]);
            self.line_ends = 0;
            return;
        }
        if self.stands == Stands::Within {
            self.name_ends(secrets, byte);
        }
        match byte {
            b'\n' => {
                self.line_ends += 1;
                self.stands = Stands::Nowhere;
                self.naming = false;
                if self.line_ends == 2 && self.named {
                    self.named = false;
                    self.state = State::Part { dashes: Some(0) };
                }
                self.line_ends = self.line_ends.min(2);
                return;
            }
            b'\r' => {
                if self.stands == Stands::Within {
                    self.stands = Stands::Behind;
                }
                return;
            }
            b'"' | b'\'' | b'\\' | b' ' | b'\t' => {
                if self.stands == Stands::Within {
                    self.stands = Stands::Behind;
                }
            }
            b':' | b'=' if self.stands != Stands::Nowhere => {
                self.stands = Stands::Nowhere;
                self.separator(secrets, byte);
            }
            b'>' => {
                let tag = std::mem::take(&mut self.tag);
                let is_secret = tag == Tag::Secret || (tag == Tag::Open && self.named);
                if is_secret && self.last != b'/' {
                    self.state = State::Element { depth: 1, markup: Markup::Text };
                }
                (self.named, self.naming) = (false, false);
                self.stands = Stands::Nowhere;
            }
            b'<' | b'}' => {
                self.tag = Tag::None;
                (self.named, self.naming) = (false, false);
                self.stands = Stands::Nowhere;
            }
            _ => self.stands = Stands::Nowhere,
        }
        self.line_ends = 0;
    }

    /// A name is over, before this byte.
    fn name_ends(&mut self, secrets: &Secrets, byte: u8) {
        if self.naming && !matches!(byte, b':' | b'=') {
            self.naming = false;
            self.named = secrets.has(&self.name);
        }
        // Of `<wsse:Password>` the first name is a prefix.
        let is_first = self.tag == Tag::Open && !self.quoted && byte != b':';
        if is_first
            && matches!(byte, b'>' | b' ' | b'\t' | b'\r' | b'\n')
            && secrets.has(&self.name)
        {
            self.tag = Tag::Secret;
        }
    }

    fn separator(&mut self, secrets: &Secrets, separator: u8) {
        let is = |names: &[&[u8]]| names.iter().any(|name| self.name.eq_ignore_ascii_case(name));
        // A prefix of an element's name, as in `<key:entry>`, names no value.
        let is_prefix = separator == b':' && self.tag == Tag::Open;
        if (secrets.has(&self.name) || (self.named && is(&VALUES))) && !is_prefix {
            self.named = false;
            self.naming = is(&NAMES);
            self.name.clear();
            self.state = State::Before { separator, backslashes: 0 };
        } else if is(&NAMES) {
            self.naming = true;
        }
    }

    fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.name.len() == NAME_LIMIT {
                self.name.drain(..NAME_LIMIT / 2);
            }
            let free = (NAME_LIMIT - self.name.len()).min(bytes.len());
            let (now, later) = bytes.split_at_checked(free).unwrap_or((bytes, &[]));
            self.name.extend_from_slice(now);
            bytes = later;
        }
    }

    /// A byte before a value, or its first one.
    fn begin(&mut self, separator: u8, backslashes: u32, byte: u8) -> bool {
        match byte {
            b' ' | b'\t' => false,
            b'\r' | b'\n' if separator == b':' && self.quoted => false,
            b'>' if self.last == b'=' => false,
            b'\\' => {
                let backslashes = backslashes.saturating_add(1);
                self.state = State::Before { separator, backslashes };
                false
            }
            b'"' | b'\'' => {
                self.state = State::Quoted { quote: byte, backslashes, run: 0 };
                false
            }
            b'{' | b'[' => {
                self.state = State::Nested { depth: 1, quote: None, escaped: false };
                false
            }
            b'&' | b';' | b',' | b'}' | b']' | b'<' | b'>' | b'\r' | b'\n' => {
                self.state = State::Scanning;
                if byte == b'>' {
                    self.tag = Tag::None;
                }
                false
            }
            _ => {
                let ends = match separator {
                    b'=' => Ends::Parameter,
                    _ if self.quoted => Ends::Json,
                    _ => Ends::Line,
                };
                self.state = State::Bare { ends };
                true
            }
        }
    }

    fn nested(&mut self, mut depth: u32, quote: Option<u8>, escaped: bool, byte: u8) -> bool {
        let (quote, escaped, is_secret) = match quote {
            Some(_) if escaped => (quote, false, true),
            Some(_) if byte == b'\\' => (quote, true, true),
            Some(open) if byte == open => (None, false, false),
            Some(_) => (quote, false, true),
            None => match byte {
                b'"' | b'\'' => (Some(byte), false, false),
                b'{' | b'[' => {
                    depth = depth.saturating_add(1);
                    (None, false, false)
                }
                b'}' | b']' => {
                    depth -= 1;
                    (None, false, false)
                }
                b',' | b':' | 0..=b' ' => (None, false, false),
                _ => (None, false, true),
            },
        };
        self.state = match depth {
            0 => State::Scanning,
            _ => State::Nested { depth, quote, escaped },
        };
        self.stands = Stands::Nowhere;
        is_secret
    }

    fn element(&mut self, mut depth: u32, markup: Markup, byte: u8) -> bool {
        let markup = match (markup, byte) {
            (Markup::Text, b'<') => Markup::Begins,
            (Markup::Text, _) => Markup::Text,
            (Markup::Begins, b'/') => Markup::Closing,
            (Markup::Begins, b'!' | b'?') => Markup::Special,
            (Markup::Begins, _) => Markup::Opening,
            (Markup::Opening, b'>') => {
                depth = depth.saturating_add(u32::from(self.last != b'/'));
                Markup::Text
            }
            (Markup::Closing, b'>') => {
                depth -= 1;
                Markup::Text
            }
            (Markup::Special, b'>') if matches!(self.last, b']' | b'-' | b'?') => Markup::Text,
            (same, _) => same,
        };
        let is_structure = markup == Markup::Text && byte == b'>';
        self.state = match depth {
            0 => State::Scanning,
            _ => State::Element { depth, markup },
        };
        self.stands = Stands::Nowhere;
        match markup {
            Markup::Text => !is_structure,
            // Of `<![CDATA[` and the like the words stay.
            Markup::Special => !matches!(byte, b'!' | b'?' | b'[' | b']' | b'-'),
            _ => false,
        }
    }
}

impl Secrets {
    /// Where secrets stand in words of which nobody knows the form, as those of an error: what has
    /// the name of one, and what stands in addresses. In order, and none of them overlap.
    pub(crate) fn in_words(&self, text: &[u8], found: &mut dyn FnMut(Range<usize>)) {
        if self.are_shown() {
            return;
        }
        let mut ranges = super::users(text);
        if may_hold(self, text) {
            Scanner::default().read(self, text, &mut |range| ranges.push(range));
        }
        ranges.sort_unstable_by_key(|range| range.start);
        let mut ranges = ranges.into_iter();
        let Some(mut present) = ranges.next() else { return };
        for next in ranges {
            if next.start <= present.end {
                present.end = present.end.max(next.end);
            } else {
                found(std::mem::replace(&mut present, next));
            }
        }
        found(present);
    }
}

/// Whether a [`Scanner`] might find something in a text: a quick look, which errs to the safe side.
pub(crate) fn may_hold(secrets: &Secrets, text: &[u8]) -> bool {
    let is_telling =
        |name: &[u8]| NAMES.iter().any(|n| name.eq_ignore_ascii_case(n)) || secrets.has(name);
    memchr3_iter(b'=', b':', b'<', text).any(|at| {
        let (before, from) = text.split_at_checked(at).unwrap_or_default();
        if from.first() == Some(&b'<') {
            // A tag has names up to its end.
            let tag = from.get(1..).unwrap_or_default();
            let end = memchr3(b'>', b'<', b'}', tag).unwrap_or(tag.len());
            let (names, from) = tag.split_at_checked(end).unwrap_or_default();
            let mut names = names.split(|byte| !is_name(*byte));
            return from.first() == Some(&b'>')
                && names.any(|name| name.len() > NAME_LIMIT / 2 || is_telling(name));
        }
        let is_between = |byte: &u8| matches!(byte, b'"' | b'\'' | b'\\' | b' ' | b'\t' | b'\r');
        let end = before.iter().rposition(|byte| !is_between(byte)).map_or(0, |last| last + 1);
        let before = before.get(..end).unwrap_or_default();
        let start = before.iter().rposition(|byte| !is_name(*byte)).map_or(0, |last| last + 1);
        let name = before.get(start..).unwrap_or_default();
        // Of a long name the scanner looks at a part.
        name.len() > NAME_LIMIT / 2 || (!name.is_empty() && is_telling(name))
    })
}

fn is_name(byte: u8) -> bool {
    IN_NAMES.get(usize::from(byte)).is_some_and(|is| *is)
}

/// By byte, whether names hold it.
const IN_NAMES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte: u8 = 0;
    loop {
        let is_name =
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'%' | b'$');
        #[expect(clippy::indexing_slicing, reason = "a byte is less than 256")]
        {
            table[byte as usize] = is_name;
        }
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

/// Bytes of a name that are looked at.
const NAME_LIMIT: usize = 64;

/// Names whose value is a name.
const NAMES: [&[u8]; 4] = [b"name", b"key", b"id", b"field"];

/// Names of the value that has such a name.
const VALUES: [&[u8]; 3] = [b"value", b"content", b"val"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::masked;

    #[test]
    fn words_lose_what_is_named_and_what_addresses_hold() {
        for (text, expected) in [
            ("no secret: 7", "no secret: ***"),
            ("nothing here: 7", "nothing here: 7"),
            ("token=abc at http://admin:pw@db", "token=*** at http://***@db"),
            ("http://admin:pw@db has token=abc", "http://***@db has token=***"),
            ("http://h/x?token=a:b@c;d", "http://h/x?token=***"),
            ("password: http://u:p@h/x", "password: ***"),
            ("", ""),
        ] {
            let (mut room, secrets) = (Vec::new(), Secrets::default());
            let text = text.as_bytes();
            let shown = masked(text, &mut room, |found| secrets.in_words(text, found));
            assert_eq!(String::from_utf8_lossy(shown), expected);
        }
        Secrets::shown().in_words(b"token=abc", &mut |_| panic!("shown all the same"));
    }

    #[test]
    fn a_quick_look_overlooks_nothing() {
        const PARTS: [&[u8]; 24] = [
            b"password",
            b"id",
            b"x",
            b"\"",
            b"'",
            b":",
            b"=",
            b" ",
            b"\\",
            b"<",
            b">",
            b"/",
            b"{",
            b"}",
            b"[",
            b"\n",
            b"\r",
            b"ns:",
            b"token",
            b"value",
            b"name",
            b",",
            b"&",
            b"averyveryverylongnameof",
        ];
        let secrets = Secrets::default();
        let mut random = crate::random::Random(11);
        let mut overlooked = 0;
        for _ in 0..30_000 {
            let mut text = Vec::new();
            for _ in 0..12 {
                text.extend_from_slice(PARTS[random.below(PARTS.len())]);
            }
            if !may_hold(&secrets, &text) {
                overlooked += 1;
                Scanner::default().read(&secrets, &text, &mut |range| {
                    panic!("{range:?} of {}", text.escape_ascii());
                });
            }
        }
        assert!(overlooked > 1000, "{overlooked}");
    }

    fn scanned(text: &[u8], pieces: usize) -> Vec<u8> {
        let secrets = Secrets::default();
        let mut scanner = Scanner::default();
        let mut shown = Vec::new();
        for piece in text.chunks(pieces) {
            let mut bytes = piece.to_vec();
            scanner.read(&secrets, piece, &mut |range| bytes[range].fill(b'1'));
            shown.extend(bytes);
        }
        shown
    }

    fn check(text: &str, expected: &str) {
        for pieces in [text.len().max(1), 1, 2, 7] {
            let shown = scanned(text.as_bytes(), pieces);
            assert_eq!(String::from_utf8_lossy(&shown), expected, "in pieces of {pieces}");
        }
    }

    #[test]
    fn values_of_json_are_found_by_their_names() {
        check(
            r#"{"user":"ann","password":"a\"b","n":1}"#,
            r#"{"user":"ann","password":"1111","n":1}"#,
        );
        check(r#"{"api_key" : 1234, "x": "token"}"#, r#"{"api_key" : 1111, "x": "token"}"#);
        check("{\"token\":\n\t\"abc\"}", "{\"token\":\n\t\"111\"}");
        check(r#"{"token":"","b":"c"}"#, r#"{"token":"","b":"c"}"#);
        check(r#"{"token":null}"#, r#"{"token":1111}"#);
    }

    #[test]
    fn all_within_a_secret_object_is_secret() {
        check(
            r#"{"credentials":{"user":"a","x":[1,"b}"]},"y":"z"}"#,
            r#"{"credentials":{"1111":"1","1":[1,"11"]},"y":"z"}"#,
        );
    }

    #[test]
    fn json_within_json_is_read() {
        check(r#"{"m":"{\"token\":\"abc\"}"}"#, r#"{"m":"{\"token\":\"1111"}"}"#);
    }

    #[test]
    fn forms_and_addresses_are_read() {
        check("a=1&password=x;y,z&b=2", "a=1&password=11111&b=2");
        check("{\"next\":\"/x?token=abc&n=1\"}", "{\"next\":\"/x?token=111&n=1\"}");
        check("token=", "token=");
        check("id%5Ftoken=abc", "id%5Ftoken=111");
    }

    #[test]
    fn lines_are_read() {
        check("Authorization: Bearer abc\nHost: x", "Authorization: 1111111111\nHost: x");
        check("password: a b # c\n", "password: 1111111\n");
        check("see the token. Here", "see the token. Here");
    }

    #[test]
    fn elements_and_attributes_are_read() {
        check("<a><password>x y</password><b>z</b></a>", "<a><password>111</password><b>z</b></a>");
        check(
            "<wsse:Password Type=\"t\">x</wsse:Password>y",
            "<wsse:Password Type=\"t\">1</wsse:Password>y",
        );
        check("<token><a>1x</a><b/>y</token>z", "<token><a>11</a><b/>1</token>z");
        check("<u password=\"x\" n='y'/>", "<u password=\"1\" n='y'/>");
        check("<password/><a>b</a>", "<password/><a>b</a>");
        check("<key>x</key>", "<key>1</key>");
    }

    #[test]
    fn text_of_cdata_is_secret() {
        check("<token><![CDATA[a<b]]></token>z", "<token><![11111[111]]></token>z");
    }

    #[test]
    fn values_that_are_named_by_another_value_are_found() {
        check(r#"[{"name":"password","value":"x"}]"#, r#"[{"name":"password","value":"1"}]"#);
        check(
            "<input type=hidden name=\"csrf_token\" value=\"x\"><b>y</b>",
            "<input type=hidden name=\"csrf_token\" value=\"1\"><b>y</b>",
        );
        check("<entry key=\"password\">x</entry>y", "<entry key=\"11111111\">1</entry>y");
        check(r#"{"name":"ann","value":"x"}"#, r#"{"name":"ann","value":"x"}"#);
    }

    #[test]
    fn parts_of_a_form_are_found() {
        let head = "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n";
        let tail = "\r\n--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\ny\r\n--b--\r\n";
        check(&format!("{head}a-b\nc{tail}"), &format!("{head}111\n1{tail}"));
    }

    #[test]
    fn what_is_never_closed_is_secret_to_the_end() {
        check(r#"{"token":"abc, "#, r#"{"token":"11111"#);
        check("<token>abc", "<token>111");
    }
}
