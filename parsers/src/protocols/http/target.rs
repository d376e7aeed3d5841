//! A request's target in; path, query and authority out.
//! <https://www.rfc-editor.org/rfc/rfc9112#section-3.2>

use memchr::{memchr, memchr2, memrchr};

/// The parts of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::protocols) struct Target<'b> {
    /// Host and port, if they stand in the target itself.
    pub(in crate::protocols) authority: Option<&'b [u8]>,
    /// What the method is applied to.
    pub(in crate::protocols) path: &'b [u8],
    /// What follows the question mark.
    pub(in crate::protocols) query: Option<&'b [u8]>,
}

impl<'b> Target<'b> {
    /// Takes a target in any of its four forms apart.
    pub(in crate::protocols) fn of(method: &[u8], target: &'b [u8]) -> Self {
        // RFC 9112 section 3.2.3: the authority-form is for CONNECT only.
        if method == b"CONNECT" {
            let target = without_user(target);
            return Self { authority: Some(target), path: target, query: None };
        }
        let (authority, rest) = absolute(target)
            .map_or((None, target), |(authority, rest)| (Some(without_user(authority)), rest));
        let (path, tail) = split_before(rest, memchr2(b'?', b'#', rest));
        let path = match (path, authority) {
            ([], Some(_)) => b"/",
            _ => path,
        };
        let query = tail.strip_prefix(b"?").map(|tail| split_before(tail, memchr(b'#', tail)).0);
        Self { authority, path, query: query.filter(|query| !query.is_empty()) }
    }
}

/// The host and port of an authority.
pub(in crate::protocols) fn without_user(authority: &[u8]) -> &[u8] {
    // RFC 9110 section 4.2.4: user information before the host may be a password.
    memrchr(b'@', authority).and_then(|at| authority.get(at + 1..)).unwrap_or(authority)
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
