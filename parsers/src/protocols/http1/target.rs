//! A request's target in; path, query and authority out, with secrets masked.
//! <https://www.rfc-editor.org/rfc/rfc9112#section-3.2>

use memchr::{memchr, memchr2, memrchr};
use smallvec::SmallVec;

/// The parts of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Target<'b> {
    /// Host and port, if they stand in the target itself.
    pub(super) authority: Option<&'b [u8]>,
    /// What the method is applied to.
    pub(super) path: &'b [u8],
    /// What follows the question mark.
    pub(super) query: Option<&'b [u8]>,
}

impl<'b> Target<'b> {
    /// Takes a target in any of its four forms apart.
    pub(super) fn of(method: &[u8], target: &'b [u8]) -> Self {
        // RFC 9112 section 3.2.3: the authority-form is for CONNECT only.
        if method == b"CONNECT" {
            return Self { authority: Some(target), path: target, query: None };
        }
        let (authority, rest) = absolute(target).map_or((None, target), |(authority, rest)| {
            // RFC 9110 section 4.2.4: user information before the host may be a password.
            let host = memrchr(b'@', authority).and_then(|at| authority.get(at + 1..));
            (Some(host.unwrap_or(authority)), rest)
        });
        let (path, tail) = split_before(rest, memchr2(b'?', b'#', rest));
        let path = match (path, authority) {
            ([], Some(_)) => b"/",
            _ => path,
        };
        let query = tail.strip_prefix(b"?").map(|tail| split_before(tail, memchr(b'#', tail)).0);
        Self { authority, path, query: query.filter(|query| !query.is_empty()) }
    }
}

/// Authority and rest of `scheme://authority/path`.
fn absolute(target: &[u8]) -> Option<(&[u8], &[u8])> {
    if target.starts_with(b"/") {
        return None;
    }
    let colon = memchr(b':', target)?;
    let (scheme, rest) = target.split_at_checked(colon)?;
    if !scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)) {
        return None;
    }
    let rest = rest.strip_prefix(b"://")?;
    Some(split_before(rest, rest.iter().position(|byte| b"/?#".contains(byte))))
}

fn split_before(bytes: &[u8], at: Option<usize>) -> (&[u8], &[u8]) {
    at.and_then(|at| bytes.split_at_checked(at)).unwrap_or((bytes, &[]))
}

/// The query with `***` for each value whose name says that it is secret, in `masked` if any is.
pub(super) fn without_secrets<'q>(query: &'q [u8], masked: &'q mut Vec<u8>) -> &'q [u8] {
    masked.clear();
    let mut copied = 0;
    let mut start = 0;
    while let Some(rest) = query.get(start..).filter(|rest| !rest.is_empty()) {
        let (parameter, _) = split_before(rest, memchr2(b'&', b';', rest));
        if let Some(equals) = memchr(b'=', parameter)
            && equals + 1 < parameter.len()
            && is_secret(parameter.get(..equals).unwrap_or_default())
        {
            masked.extend_from_slice(query.get(copied..=start + equals).unwrap_or_default());
            masked.extend_from_slice(MASK);
            copied = start + parameter.len();
        }
        start += parameter.len() + 1;
    }
    if copied == 0 {
        return query;
    }
    masked.extend_from_slice(query.get(copied..).unwrap_or_default());
    masked
}

/// Whether a parameter's name, however it is written, is one of a secret.
fn is_secret(name: &[u8]) -> bool {
    let mut plain = SmallVec::<[u8; 64]>::new();
    let mut rest = name;
    loop {
        let (byte, after) = match rest {
            [b'%', high, low, after @ ..] => match (hex_digit(*high), hex_digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (b'%', rest.get(1..).unwrap_or_default()),
            },
            [byte, after @ ..] => (*byte, after),
            [] => break,
        };
        if byte.is_ascii_alphanumeric() {
            plain.push(byte.to_ascii_lowercase());
        }
        rest = after;
    }
    SECRET_NAMES.contains(&plain.as_slice())
        || SECRET_WORDS.iter().any(|word| plain.windows(word.len()).any(|part| part == *word))
}

fn hex_digit(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

const MASK: &[u8] = b"***";

/// Names of secrets, in lower case, letters and digits only.
const SECRET_NAMES: &[&[u8]] =
    &[b"auth", b"awsaccesskeyid", b"jwt", b"key", b"pass", b"pwd", b"sid", b"sig"];

/// Parts of names of secrets, in the same form.
const SECRET_WORDS: &[&[u8]] = &[
    b"apikey",
    b"accesskey",
    b"authorization",
    b"credential",
    b"passwd",
    b"password",
    b"privatekey",
    b"secret",
    b"session",
    b"signature",
    b"token",
];
