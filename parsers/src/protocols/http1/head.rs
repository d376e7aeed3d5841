//! Bytes in; the first line and the headers of a request or response out.
//! <https://www.rfc-editor.org/rfc/rfc9112#section-2>
//!
//! `httparse` reads the heads that it accepts. What it refuses and real peers accept is read line
//! by line, leaving out the lines that say nothing.

use httparse::{Header, ParserConfig, Status};
use memchr::{memchr, memrchr};
use std::mem::MaybeUninit;

/// Who sends the messages of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Server,
}

/// What the first bytes of a message look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    /// The first line surely is one of this sender.
    Sure(Role),
    /// More bytes decide.
    Unsure(Role),
    No,
}

/// The first line of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstLine<'b> {
    Request { method: &'b [u8], target: &'b [u8] },
    Response { code: u16 },
}

impl FirstLine<'_> {
    pub(super) fn role(&self) -> Role {
        match self {
            Self::Request { .. } => Role::Client,
            Self::Response { .. } => Role::Server,
        }
    }
}

/// Everything before the body.
pub(super) struct Head<'h, 'b> {
    pub(super) first: FirstLine<'b>,
    /// The `y` of `HTTP/1.y`.
    pub(super) minor: u8,
    pub(super) headers: Headers<'h, 'b>,
    /// Bytes of the input up to the body.
    pub(super) len: usize,
    /// Whether the end is missing.
    pub(super) cut: bool,
}

/// Room for the headers of an ordinary head.
pub(super) type Slots<'b> = [MaybeUninit<Header<'b>>; SLOTS];

/// Reads whole heads.
pub(super) struct Reader {
    config: ParserConfig,
}

impl Reader {
    /// Reads a head at the start of the input, if it is whole and nearly as the specification has
    /// it.
    pub(super) fn strict<'h, 'b>(
        &self,
        role: Role,
        input: &'b [u8],
        slots: &'h mut Slots<'b>,
    ) -> Option<Head<'h, 'b>> {
        let (first, minor, headers, len) = match role {
            Role::Client => {
                let mut request = httparse::Request::new(&mut []);
                let parsed =
                    self.config.parse_request_with_uninit_headers(&mut request, input, slots);
                let Ok(Status::Complete(len)) = parsed else { return None };
                let method = request.method?.as_bytes();
                let target = request.path?.as_bytes();
                let first = FirstLine::Request { method, target };
                (first, request.version?, request.headers, len)
            }
            Role::Server => {
                let mut response = httparse::Response::new(&mut []);
                let parsed =
                    self.config.parse_response_with_uninit_headers(&mut response, input, slots);
                let Ok(Status::Complete(len)) = parsed else { return None };
                let first = FirstLine::Response { code: response.code? };
                (first, response.version?, response.headers, len)
            }
        };
        Some(Head { first, minor, headers: Headers::Read(headers.iter()), len, cut: false })
    }
}

impl Default for Reader {
    fn default() -> Self {
        let mut config = ParserConfig::default();
        config
            .allow_multiple_spaces_in_request_line_delimiters(true)
            .allow_multiple_spaces_in_response_status_delimiters(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true);
        Self { config }
    }
}

impl<'b> Head<'_, 'b> {
    /// Reads a block of lines that ends where the head does, leaving out what is no header.
    pub(super) fn lenient(role: Role, block: &'b [u8]) -> Option<Self> {
        let (line, rest) = block.split_at_checked(memchr(b'\n', block)? + 1)?;
        let (first, minor) = first_line(role, line)?;
        Some(Self { first, minor, headers: Headers::Lines(rest), len: block.len(), cut: false })
    }

    /// Reads the complete lines of a head whose end is missing.
    pub(super) fn cut(role: Role, rest: &'b [u8]) -> Option<Self> {
        let lines = rest.get(..=memrchr(b'\n', rest)?)?;
        Some(Self { cut: true, ..Self::lenient(role, lines)? })
    }
}

/// Names and values, in order.
pub(super) enum Headers<'h, 'b> {
    Read(std::slice::Iter<'h, Header<'b>>),
    Lines(&'b [u8]),
}

impl<'b> Iterator for Headers<'_, 'b> {
    type Item = (&'b [u8], &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Read(headers) => {
                headers.next().map(|header| (header.name.as_bytes(), header.value))
            }
            Self::Lines(rest) => loop {
                let (line, after) = rest.split_at_checked(folded_line(rest)?)?;
                *rest = after;
                if let Some(colon) = memchr(b':', line) {
                    let (name, value) = line.split_at_checked(colon)?;
                    return Some((name.trim_ascii(), value.get(1..)?.trim_ascii()));
                }
            },
        }
    }
}

/// How far the end of a head was looked for; kept while bytes of it are missing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    /// No empty line ends before this offset; a line may end just there.
    pub(super) at: usize,
    first_line_is_good: bool,
}

impl Scan {
    /// The length of the head; `Ok(None)` if its end is not there yet.
    ///
    /// # Errors
    /// The first line is none of HTTP's.
    pub(super) fn end(&mut self, role: Role, input: &[u8]) -> Result<Option<usize>, BadFirstLine> {
        if !self.first_line_is_good && !may_start(role, input) {
            return Err(BadFirstLine);
        }
        loop {
            let rest = input.get(self.at..).unwrap_or_default();
            let Some(newline) = memchr(b'\n', rest) else {
                self.at = input.len();
                return Ok(None);
            };
            let (line, after) = rest.split_at_checked(newline + 1).unwrap_or_default();
            if !self.first_line_is_good {
                let whole = input.get(..self.at + line.len()).unwrap_or_default();
                if first_line(role, whole).is_none() {
                    return Err(BadFirstLine);
                }
                self.first_line_is_good = true;
            }
            match after {
                [b'\n', ..] => return Ok(Some(self.at + newline + 2)),
                [b'\r', b'\n', ..] => return Ok(Some(self.at + newline + 3)),
                // The newline is looked at again when what follows it is there.
                [] | [b'\r'] => {
                    self.at += newline;
                    return Ok(None);
                }
                _ => self.at += newline + 1,
            }
        }
    }
}

/// The first line is none of HTTP's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadFirstLine;

/// Judges the first bytes of a flow, or the first after a gap.
pub(super) fn likeness(head: &[u8]) -> Likeness {
    let head = head.get(newlines(head)..).unwrap_or_default();
    match head {
        // RFC 9112 section 2.2: a server ignores empty lines before a request.
        [] => Likeness::Unsure(Role::Client),
        [b'H', b'T', ..] => status_line_likeness(head),
        _ => request_line_likeness(head),
    }
}

/// How many of the first bytes are empty lines.
pub(super) fn newlines(input: &[u8]) -> usize {
    input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

fn status_line_likeness(head: &[u8]) -> Likeness {
    for (place, wanted) in STATUS_LINE.iter().enumerate() {
        let Some(byte) = head.get(place) else { return Likeness::Unsure(Role::Server) };
        let fits = match wanted {
            b'0' => byte.is_ascii_digit(),
            _ => byte == wanted,
        };
        if !fits {
            return Likeness::No;
        }
    }
    match head.get(STATUS_LINE.len()) {
        None | Some(b' ' | b'\r' | b'\n') => Likeness::Sure(Role::Server),
        Some(_) => Likeness::No,
    }
}

fn request_line_likeness(head: &[u8]) -> Likeness {
    let method = head.iter().take_while(|byte| is_token(**byte)).count();
    let (method, rest) = head.split_at_checked(method).unwrap_or_default();
    if method.is_empty() || method.len() > LIKELY_METHOD {
        return Likeness::No;
    }
    let rest = match rest {
        [] => return Likeness::Unsure(Role::Client),
        // RFC 9113 section 3.4: this method stands at the start of HTTP/2 only.
        [b' ', ..] if method == b"PRI" => return Likeness::No,
        [b' ', rest @ ..] => rest,
        _ => return Likeness::No,
    };
    let target = rest.iter().take_while(|byte| **byte > b' ' && **byte != 0x7f).count();
    let (target, rest) = rest.split_at_checked(target).unwrap_or_default();
    if target.len() > LIKELY_TARGET {
        return Likeness::No;
    }
    let version = match (target, rest) {
        (_, []) => return Likeness::Unsure(Role::Client),
        ([_, ..], [b' ', version @ ..]) => version,
        _ => return Likeness::No,
    };
    for (place, wanted) in VERSION.iter().enumerate() {
        let Some(byte) = version.get(place) else { return Likeness::Unsure(Role::Client) };
        if byte != wanted {
            return Likeness::No;
        }
    }
    match version.get(VERSION.len()..) {
        Some([]) => Likeness::Unsure(Role::Client),
        Some([b'0'..=b'9'] | [b'0'..=b'9', b'\r' | b'\n', ..]) => Likeness::Sure(Role::Client),
        _ => Likeness::No,
    }
}

/// Whether a first line may begin so; lets garbage without a line end be told early.
fn may_start(role: Role, input: &[u8]) -> bool {
    match role {
        Role::Client => input.first().is_some_and(|byte| is_token(*byte)),
        Role::Server => input.iter().zip(VERSION).all(|(byte, wanted)| byte == wanted),
    }
}

fn first_line(role: Role, line: &[u8]) -> Option<(FirstLine<'_>, u8)> {
    let line = line.trim_ascii_end();
    match role {
        Role::Client => request_line(line),
        Role::Server => status_line(line),
    }
}

/// RFC 9112 section 3: a line may be cut at whitespace, and targets with spaces are out there.
fn request_line(line: &[u8]) -> Option<(FirstLine<'_>, u8)> {
    let (method, rest) = line.split_at_checked(memchr(b' ', line)?)?;
    let (target, version) = rest.split_at_checked(memrchr(b' ', rest)?)?;
    let [minor @ b'0'..=b'9'] = version.trim_ascii_start().strip_prefix(VERSION)? else {
        return None;
    };
    let target = target.trim_ascii();
    if target.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
        return None;
    }
    Some((FirstLine::Request { method, target }, minor - b'0'))
}

/// RFC 9112 section 4; the reason phrase may be missing with the space before it.
fn status_line(line: &[u8]) -> Option<(FirstLine<'_>, u8)> {
    let [minor @ b'0'..=b'9', b' ', rest @ ..] = line.strip_prefix(VERSION)? else { return None };
    let [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = rest.trim_ascii_start()
    else {
        return None;
    };
    if rest.first().is_some_and(|byte| !byte.is_ascii_whitespace()) {
        return None;
    }
    let code = [a, b, c].iter().fold(0, |code, digit| code * 10 + u16::from(**digit - b'0'));
    Some((FirstLine::Response { code }, minor - b'0'))
}

/// The length of the next line with the lines that continue it (RFC 9112 section 5.2).
fn folded_line(rest: &[u8]) -> Option<usize> {
    let mut end = 0;
    loop {
        end += memchr(b'\n', rest.get(end..)?)? + 1;
        if !matches!(rest.get(end), Some(b' ' | b'\t')) {
            return Some(end);
        }
    }
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

const VERSION: &[u8] = b"HTTP/1.";

/// A status line up to its code; a zero stands for any digit.
const STATUS_LINE: &[u8] = b"HTTP/1.0 000";

/// More headers than this are read line by line.
const SLOTS: usize = 64;

/// The longest method that a flow is recognised by.
const LIKELY_METHOD: usize = 32;

/// The longest target that a flow is recognised by.
const LIKELY_TARGET: usize = 16 << 10;
