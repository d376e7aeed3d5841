//! Bytes in; the first line and the headers of a request or response out.
//! <https://www.rfc-editor.org/rfc/rfc9112#section-2>
//!
//! `httparse` reads the heads that it accepts. What it refuses and real peers accept is read line
//! by line, leaving out the lines that say nothing.

use crate::protocols::http::Role;
use httparse::{Header, ParserConfig, Status};
use memchr::{memchr, memmem, memrchr};
use std::mem::MaybeUninit;

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
    Request {
        method: &'b [u8],
        target: &'b [u8],
    },
    /// A request line without version: all that an HTTP/0.9 request is.
    Simple {
        target: &'b [u8],
    },
    /// What is no request line, but meant as one: a server answers it with an error.
    Flawed {
        method: &'b [u8],
        target: &'b [u8],
    },
    Response {
        code: u16,
    },
}

impl<'b> FirstLine<'b> {
    /// What a request asks for, as it was sent.
    pub(super) fn target(&self) -> Option<&'b [u8]> {
        match self {
            Self::Request { target, .. }
            | Self::Simple { target }
            | Self::Flawed { target, .. } => Some(target),
            Self::Response { .. } => None,
        }
    }

    pub(super) fn role(&self) -> Role {
        match self {
            Self::Request { .. } | Self::Simple { .. } | Self::Flawed { .. } => Role::Client,
            Self::Response { .. } => Role::Server,
        }
    }

    /// Whether it has a version, so that it is hardly anything else.
    pub(super) fn is_proper(&self) -> bool {
        matches!(self, Self::Request { .. } | Self::Response { .. })
    }
}

/// Everything before the body.
pub(super) struct Head<'h, 'b> {
    pub(super) first: FirstLine<'b>,
    pub(super) version: Version,
    pub(super) headers: Headers<'h, 'b>,
    /// Bytes of the input up to the body.
    pub(super) len: usize,
    /// Whether the end is missing.
    pub(super) cut: bool,
}

/// The `x` and the `y` of `HTTP/x.y`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) major: u8,
    pub(super) minor: u8,
}

impl Version {
    /// The version that nobody need be told of.
    pub(super) const USUAL: Self = Self { major: 1, minor: 1 };

    /// Of a line that names none.
    const NONE: Self = Self { major: 0, minor: 9 };

    /// Reads `HTTP/1.1` and what is out there in its place, such as `HTTP/1.` and `HTTP/1.10`.
    fn of(text: &[u8]) -> Option<Self> {
        let numbers = text.strip_prefix(NAME)?;
        let mut parts = numbers.split(|byte| *byte == b'.');
        let number = |digits: &[u8]| {
            let value = str::from_utf8(digits).ok()?.parse().ok();
            value.filter(|_| digits.iter().all(u8::is_ascii_digit))
        };
        let major = number(parts.next()?)?;
        let minor = match parts.next() {
            None | Some([]) => 0,
            Some(digits) => number(digits)?,
        };
        parts.next().is_none().then_some(Self { major, minor })
    }
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
        let version = Version { major: 1, minor };
        Some(Head { first, version, headers: Headers::Read(headers.iter()), len, cut: false })
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
        let (first, version) = first_line(role, line)?;
        Some(Self { first, version, headers: Headers::Lines(rest), len: block.len(), cut: false })
    }

    /// Reads the complete lines of a head whose end is missing; of the first, what counts.
    pub(super) fn cut(role: Role, rest: &'b [u8]) -> Option<Self> {
        let Some(end) = memrchr(b'\n', rest) else {
            let likeness = match role {
                Role::Client => strict_request_line_likeness(rest),
                Role::Server => status_line_likeness(rest),
            };
            let (first, version) = first_line(role, rest)?;
            let head =
                Self { first, version, headers: Headers::Lines(&[]), len: rest.len(), cut: true };
            return (likeness == Likeness::Sure(role)).then_some(head);
        };
        Some(Self { cut: true, ..Self::lenient(role, rest.get(..=end)?)? })
    }
}

/// Names and values, in order.
#[derive(Clone)]
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
    pub(super) fn end(
        &mut self,
        role: Role,
        lines: Lines,
        input: &[u8],
    ) -> Result<Option<usize>, BadFirstLine> {
        if !self.first_line_is_good && !may_start(role, lines, input) {
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
                match first_line(role, whole) {
                    None => return Err(BadFirstLine),
                    Some((first, _)) if lines == Lines::Proper && !first.is_proper() => {
                        return Err(BadFirstLine);
                    }
                    Some((FirstLine::Simple { .. }, _)) => return Ok(Some(whole.len())),
                    Some(_) => self.first_line_is_good = true,
                }
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

/// Which first lines are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lines {
    /// Those that have a version.
    Proper,
    /// Also what a client may have meant as one, where nothing came before it.
    All,
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
        [b'H', b'T', ..] | [b'I', b'C', b'Y', b' ', ..] => status_line_likeness(head),
        _ => request_line_likeness(head),
    }
}

/// How many of the first bytes are empty lines.
pub(super) fn newlines(input: &[u8]) -> usize {
    input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

fn status_line_likeness(head: &[u8]) -> Likeness {
    let unsure = Likeness::Unsure(Role::Server);
    let begins = |name: &[u8]| head.iter().zip(name).all(|(byte, wanted)| byte == wanted);
    let version = if begins(ICY) && head.len() >= ICY.len() {
        ICY.len() - 1
    } else if begins(NAME) {
        let numbers = head.get(NAME.len()..).unwrap_or_default();
        NAME.len() + numbers.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'.')).count()
    } else {
        return Likeness::No;
    };
    if version > LIKELY_VERSION {
        return Likeness::No;
    }
    let rest = head.get(version..).unwrap_or_default();
    let spaces = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let digits = rest.get(spaces..).unwrap_or_default();
    match (spaces, digits) {
        (_, []) => unsure,
        (1.., [a, rest @ ..]) if a.is_ascii_digit() => match rest {
            [] => unsure,
            [b] if b.is_ascii_digit() => unsure,
            [b, c, ..] if b.is_ascii_digit() && c.is_ascii_digit() => Likeness::Sure(Role::Server),
            _ => Likeness::No,
        },
        _ => Likeness::No,
    }
}

fn request_line_likeness(head: &[u8]) -> Likeness {
    // RFC 9113 section 3.4: this method stands at the start of HTTP/2 only.
    if head.starts_with(b"PRI ") {
        return Likeness::No;
    }
    let strict = strict_request_line_likeness(head);
    if let Likeness::Sure(_) = strict {
        return strict;
    }
    // Others are told by their whole line, for which unusual ones must be short.
    let is_usual = begins_with_usual_method(head);
    let limit = if is_usual { LIKELY_TARGET } else { LIKELY_FLAWED };
    let shown = head.get(..limit).unwrap_or(head);
    let (line, is_whole) = match memchr(b'\n', shown) {
        Some(end) => (shown.get(..end).unwrap_or_default(), true),
        None => (shown, false),
    };
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if !is_text(line) {
        return Likeness::No;
    }
    match (is_whole, request_line(line.trim_ascii_end())) {
        (true, Some((FirstLine::Request { .. }, _))) => Likeness::Sure(Role::Client),
        (true, Some(_)) => Likeness::Unsure(Role::Client),
        (true, None) => Likeness::No,
        (false, _) if head.len() < limit => Likeness::Unsure(Role::Client),
        (false, _) => strict,
    }
}

/// Judges a request line that may lack its end, by its form in the specification.
pub(super) fn strict_request_line_likeness(head: &[u8]) -> Likeness {
    let head = head.get(newlines(head)..).unwrap_or_default();
    if head.is_empty() {
        return Likeness::Unsure(Role::Client);
    }
    let method = head.iter().take_while(|byte| is_token(**byte)).count();
    let (method, rest) = head.split_at_checked(method).unwrap_or_default();
    if method.is_empty() || method.len() > LIKELY_METHOD {
        return Likeness::No;
    }
    let rest = match rest {
        [] => return Likeness::Unsure(Role::Client),
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
    match version.get(VERSION.len()) {
        None => Likeness::Unsure(Role::Client),
        Some(b'0'..=b'9') => Likeness::Sure(Role::Client),
        Some(_) => Likeness::No,
    }
}

/// Whether a first line may begin so; lets garbage without a line end be told early.
fn may_start(role: Role, lines: Lines, input: &[u8]) -> bool {
    match (role, lines) {
        (Role::Client, Lines::Proper) => input.first().is_some_and(|byte| is_token(*byte)),
        (Role::Client, Lines::All) => input.first().is_some_and(|byte| !byte.is_ascii_control()),
        (Role::Server, _) => may_start_status_line(input),
    }
}

/// Whether a status line may begin so.
pub(super) fn may_start_status_line(input: &[u8]) -> bool {
    let begins = |name: &[u8]| input.iter().zip(name).all(|(byte, wanted)| byte == wanted);
    begins(NAME) || begins(ICY)
}

fn first_line(role: Role, line: &[u8]) -> Option<(FirstLine<'_>, Version)> {
    let line = line.trim_ascii_end();
    match role {
        Role::Client => request_line(line),
        Role::Server => status_line(line),
    }
}

/// RFC 9112 section 3: a line may be cut at whitespace, and targets with spaces are out there.
fn request_line(line: &[u8]) -> Option<(FirstLine<'_>, Version)> {
    if line.starts_with(NAME) {
        return None;
    }
    let named = memmem::rfind(line, NAME);
    let (before, version) = match named.and_then(|at| line.split_at_checked(at)) {
        // What follows no space belongs to the target.
        Some((before, text)) if before.ends_with(b" ") || before.ends_with(b"\t") => {
            (before, Version::of(text))
        }
        _ => (line, None),
    };
    let (method, target) = match before.iter().position(u8::is_ascii_whitespace) {
        Some(end) => before.split_at_checked(end)?,
        None => (before, &[] as &[u8]),
    };
    let target = target.trim_ascii();
    let is_method = !method.is_empty() && method.iter().all(|byte| is_token(*byte));
    match version {
        Some(version) if is_method && !target.is_empty() => {
            return Some((FirstLine::Request { method, target }, version));
        }
        _ if !is_text(line) => return None,
        _ => {}
    }
    let first = match (named, is_method) {
        (Some(_), true) => FirstLine::Flawed { method, target },
        (Some(_), false) if line.len() <= LIKELY_FLAWED => {
            FirstLine::Flawed { method: UNKNOWN_METHOD, target: &[] }
        }
        (Some(_), false) => return None,
        (None, _) if !USUAL_METHODS.contains(&method) || names_another_protocol(target) => {
            return None;
        }
        // RFC 1945 section 4.1: a simple request has this method only.
        (None, _) if method == b"GET" && !target.is_empty() => FirstLine::Simple { target },
        (None, _) => FirstLine::Flawed { method, target },
    };
    Some((first, version.unwrap_or(Version::NONE)))
}

/// Whether it is a line of UTF-8, the end of which may be missing.
fn is_text(line: &[u8]) -> bool {
    let whole = match str::from_utf8(line) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    whole && line.iter().all(|byte| !byte.is_ascii_control() || *byte == b'\t')
}

/// RTSP, SIP and ICAP have the same methods.
fn names_another_protocol(target: &[u8]) -> bool {
    let last = target.rsplit(u8::is_ascii_whitespace).next().unwrap_or_default();
    let slash = memrchr(b'/', last);
    let name = slash.and_then(|at| last.get(..at)).unwrap_or_default();
    !name.is_empty() && name.iter().all(u8::is_ascii_uppercase)
}

fn begins_with_usual_method(head: &[u8]) -> bool {
    let end = head.iter().position(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
    let word = head.get(..end.unwrap_or(head.len())).unwrap_or_default();
    USUAL_METHODS.contains(&word)
}

/// RFC 9112 section 4; the reason phrase may be missing with the space before it.
fn status_line(line: &[u8]) -> Option<(FirstLine<'_>, Version)> {
    let (version, rest) = match line.strip_prefix(ICY) {
        Some(rest) => (Version { major: 1, minor: 0 }, rest),
        None => {
            let end = line.iter().position(u8::is_ascii_whitespace)?;
            let (version, rest) = line.split_at_checked(end)?;
            (Version::of(version)?, rest)
        }
    };
    let [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', ..] = rest.trim_ascii_start() else {
        return None;
    };
    let code = [a, b, c].iter().fold(0, |code, digit| code * 10 + u16::from(**digit - b'0'));
    Some((FirstLine::Response { code }, version))
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

const NAME: &[u8] = b"HTTP/";

/// What a SHOUTcast server has in place of the version.
const ICY: &[u8] = b"ICY ";

/// In place of a method that cannot be told, as OpenTelemetry has it.
const UNKNOWN_METHOD: &[u8] = b"_OTHER";

/// Methods by which a request line without version is recognised.
const USUAL_METHODS: [&[u8]; 9] =
    [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH"];

/// More headers than this are read line by line.
const SLOTS: usize = 64;

/// The longest method that a flow is recognised by.
const LIKELY_METHOD: usize = 32;

/// The longest version that a flow is recognised by.
const LIKELY_VERSION: usize = 12;

/// The longest line that names HTTP, but is no request line, that is taken for a request.
const LIKELY_FLAWED: usize = 256;

/// The longest target that a flow is recognised by.
const LIKELY_TARGET: usize = 16 << 10;
