//! Which values are secret, by the names that they have: where they stand in queries, headers and
//! texts, and what is shown in their place. The one list of such names; a protocol masks before it
//! hands over.

pub mod scan;

use memchr::{memchr, memchr2, memmem, memrchr};
use smallvec::SmallVec;
use std::ops::Range;

/// What is secret by its name.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// Whether it is shown all the same.
    shown: bool,
    /// Names of the user's, beside those that are known, as [`plain`] gives them.
    names: Vec<Box<[u8]>>,
}

impl Secrets {
    /// Those that are known, and what has one of these names, however it is written.
    #[must_use]
    pub fn with_names<'n>(names: impl IntoIterator<Item = &'n [u8]>) -> Self {
        let names = names.into_iter().map(plain).filter(|plain| !plain.is_empty());
        Self { shown: false, names: names.map(|plain| plain.as_slice().into()).collect() }
    }

    /// The same, and what has one of these names.
    #[must_use]
    pub fn also<'n>(mut self, names: impl IntoIterator<Item = &'n [u8]>) -> Self {
        self.names.extend(Self::with_names(names).names);
        self
    }

    /// Nothing is secret.
    #[must_use]
    pub fn shown() -> Self {
        Self { shown: true, names: Vec::new() }
    }

    /// Whether secrets are shown, and so are literals.
    #[must_use]
    pub fn are_shown(&self) -> bool {
        self.shown
    }

    /// Whether a name, however it is written, is one of a secret.
    #[must_use]
    pub fn has(&self, name: &[u8]) -> bool {
        if self.shown || (name.len() < SHORTEST_NAME && self.names.is_empty()) {
            return false;
        }
        let plain = plain(name);
        let plain = plain.as_slice();
        SECRET_NAMES.contains(&plain) || has_secret_word(plain) || self.is_users(plain)
    }

    /// Whether a name has a word in it that only secrets have; for names that may be anything, such
    /// as keys.
    #[must_use]
    pub fn are_named_in(&self, name: &[u8]) -> bool {
        let plain = plain(name);
        !self.shown && (has_secret_word(&plain) || self.is_users(&plain))
    }

    /// Whether a name is one of the user's.
    #[must_use]
    pub fn are_users(&self, name: &[u8]) -> bool {
        !self.shown && !self.names.is_empty() && self.is_users(&plain(name))
    }

    fn is_users(&self, plain: &[u8]) -> bool {
        self.names.iter().any(|name| **name == *plain)
    }

    /// Where secrets stand in the query of an address.
    pub(crate) fn in_query(&self, query: &[u8], found: &mut dyn FnMut(Range<usize>)) {
        self.in_parameters(query, |rest| memchr2(b'&', b';', rest), found);
    }

    /// The same in its path, whose parts may have parameters: `/cart;jsessionid=7/items`.
    pub(crate) fn in_path(&self, path: &[u8], found: &mut dyn FnMut(Range<usize>)) {
        if memchr(b'=', path).is_some() {
            self.in_parameters(path, |rest| memchr2(b'/', b';', rest), found);
        }
    }

    fn in_parameters(
        &self,
        text: &[u8],
        end: impl Fn(&[u8]) -> Option<usize>,
        found: &mut dyn FnMut(Range<usize>),
    ) {
        let mut start = 0;
        while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
            let parameter = before(rest, end(rest));
            if let Some(equals) = memchr(b'=', parameter)
                && equals + 1 < parameter.len()
                && self.has(parameter.get(..equals).unwrap_or_default())
            {
                found(start + equals + 1..start + parameter.len());
            }
            start += parameter.len() + 1;
        }
    }

    /// The same in the value of a header: of cookies all but names, of addresses passwords and
    /// parameters, and the whole of what is secret by its own name.
    pub(crate) fn in_header(&self, name: &[u8], value: &[u8], found: &mut dyn FnMut(Range<usize>)) {
        if self.shown {
            return;
        }
        if name.eq_ignore_ascii_case(b"cookie") {
            let mut start = 0;
            for cookie in value.split(|byte| *byte == b';') {
                in_cookie(cookie, start, found);
                start += cookie.len() + 1;
            }
        } else if name.eq_ignore_ascii_case(b"set-cookie") {
            in_cookie(before(value, memchr(b';', value)), 0, found);
        } else if self.has(name) {
            if !value.is_empty() {
                found(0..value.len());
            }
        } else if name.eq_ignore_ascii_case(b"grpc-message") {
            self.in_coded_words(value, found);
        } else {
            self.in_addresses(value, found);
        }
    }

    /// The same in the words of an error, escapes of which say what has no place in a header.
    fn in_coded_words(&self, text: &[u8], found: &mut dyn FnMut(Range<usize>)) {
        let mut plain = Vec::with_capacity(text.len());
        let mut places = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((byte, after)) = percent_decoded(rest) {
            plain.push(byte);
            places.push(text.len() - rest.len());
            rest = after;
        }
        let place = |at: usize| places.get(at).copied().unwrap_or(text.len());
        self.in_words(&plain, &mut |range| found(place(range.start)..place(range.end)));
    }

    /// The same in a text of addresses: what stands before their hosts, and parameters.
    pub(crate) fn in_addresses(&self, text: &[u8], found: &mut dyn FnMut(Range<usize>)) {
        // From the end of one authority to the next one.
        let parameters = |from: usize, to: usize, found: &mut dyn FnMut(Range<usize>)| {
            let piece = text.get(from..to).unwrap_or_default();
            let query = memchr(b'?', piece).unwrap_or(piece.len());
            let (path, query) = piece.split_at_checked(query).unwrap_or_default();
            self.in_path(path, &mut |range| found(from + range.start..from + range.end));
            let from = from + path.len() + 1;
            let query = query.get(1..).unwrap_or_default();
            self.in_query(query, &mut |range| found(from + range.start..from + range.end));
        };
        let mut from = 0;
        for user in users(text) {
            parameters(from, user.start, found);
            from = user.end;
            found(user);
        }
        parameters(from, text.len(), found);
    }
}

/// What stands before the hosts in a text of addresses: names, mostly with passwords.
fn users(text: &[u8]) -> SmallVec<[Range<usize>; 2]> {
    let mut start = 0;
    let mut users: SmallVec<[Range<usize>; 2]> = SmallVec::new();
    while let Some(scheme) = text.get(start..).and_then(|rest| memmem::find(rest, b"://")) {
        let authority = start + scheme + 3;
        let after = text.get(authority..).unwrap_or_default();
        let end = after.iter().position(|byte| b"/?#,; ".contains(byte));
        let at = memrchr(b'@', before(after, end)).filter(|at| *at > 0);
        users.extend(at.map(|at| authority..authority + at));
        start = authority;
    }
    users
}

/// All of a cookie but its name; without a name, all of it is the value.
fn in_cookie(cookie: &[u8], start: usize, found: &mut dyn FnMut(Range<usize>)) {
    let value = match memchr(b'=', cookie) {
        Some(equals) => equals + 1,
        None => cookie.len() - cookie.trim_ascii_start().len(),
    };
    if value < cookie.len() {
        found(start + value..start + cookie.len());
    }
}

/// A text with [`MASK`] in place of what is found in it; in `room` if anything is.
pub(crate) fn masked<'t>(
    text: &'t [u8],
    room: &'t mut Vec<u8>,
    find: impl FnOnce(&mut dyn FnMut(Range<usize>)),
) -> &'t [u8] {
    room.clear();
    let mut copied = 0;
    find(&mut |range| {
        room.extend_from_slice(text.get(copied..range.start).unwrap_or_default());
        room.extend_from_slice(MASK);
        copied = range.end;
    });
    if copied == 0 {
        return text;
    }
    room.extend_from_slice(text.get(copied..).unwrap_or_default());
    room
}

/// The letters and digits of a name, in lower case.
fn plain(name: &[u8]) -> SmallVec<[u8; 64]> {
    let mut plain = SmallVec::new();
    let mut rest = name;
    while let Some((byte, after)) = percent_decoded(rest) {
        if byte.is_ascii_alphanumeric() {
            plain.push(byte.to_ascii_lowercase());
        }
        rest = after;
    }
    plain
}

/// The first byte of a text whose escapes stand for bytes, and the rest; what is no escape stands
/// for itself.
fn percent_decoded(text: &[u8]) -> Option<(u8, &[u8])> {
    if let [b'%', high, low, after @ ..] = text
        && let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low))
    {
        return Some((high << 4 | low, after));
    }
    text.split_first().map(|(byte, after)| (*byte, after))
}

fn has_secret_word(plain: &[u8]) -> bool {
    let mut rest = plain;
    while let Some((first, after)) = rest.split_first().filter(|_| rest.len() >= SHORTEST_WORD) {
        // A comparison of whole words is what costs, and few letters pass this.
        if FIRST_LETTERS >> (first & 31) & 1 == 1
            && SECRET_WORDS.iter().any(|word| rest.starts_with(word))
        {
            return true;
        }
        rest = after;
    }
    false
}

fn hex_digit(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

fn before(bytes: &[u8], at: Option<usize>) -> &[u8] {
    at.and_then(|at| bytes.get(..at)).unwrap_or(bytes)
}

/// What is shown for a secret.
pub(crate) const MASK: &[u8] = b"***";

/// Names of secrets, in lower case, letters and digits only.
const SECRET_NAMES: &[&[u8]] = &[
    b"auth",
    b"awsaccesskeyid",
    b"dpop",
    // What gRPC tells of an error beside its code, as base64 of a message with anything in it: the
    // words of the error once more, and what servers make of a request.
    // <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses>
    b"grpcstatusdetailsbin",
    b"jwt",
    b"key",
    b"otp",
    b"pass",
    b"pwd",
    b"sid",
    b"sig",
    b"xauth",
    b"xkey",
];

/// Parts of names of secrets, in the same form.
const SECRET_WORDS: &[&[u8]] = &[
    b"accesskey",
    b"apikey",
    b"assertion",
    b"authkey",
    b"authorization",
    b"authpass",
    b"credential",
    b"filepass",
    b"masterauth",
    b"passcode",
    b"passphrase",
    b"passw",
    b"primaryauth",
    b"privatekey",
    b"requirepass",
    b"secret",
    b"sentinelpass",
    b"session",
    b"signature",
    b"subscriptionkey",
    b"token",
];

const SHORTEST_NAME: usize = 3;
const SHORTEST_WORD: usize = 5;

/// With which of them begin, one bit a letter.
const FIRST_LETTERS: u32 = {
    let (mut letters, mut at) = (0, 0);
    while at < SECRET_WORDS.len() {
        #[expect(clippy::indexing_slicing, reason = "the loop ends before")]
        let word = SECRET_WORDS[at];
        if let Some(first) = word.first() {
            letters |= 1 << (*first & 31);
        }
        at += 1;
    }
    letters
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_is_secret() {
        let secrets = Secrets::default();
        for name in [
            "Authorization",
            "proxy-authorization",
            "X-Api-Key",
            "X-Auth-Token",
            "api_key",
            "token",
            "id%5Ftoken",
            "client_secret",
            "Password",
            "PASSWD",
            "x-session-id",
            "X-Amz-Signature",
            "key",
            "sig",
            "requirepass",
            "tls-key-file-pass",
            "sentinel-pass",
            "X-Auth",
            "Ocp-Apim-Subscription-Key",
        ] {
            assert!(secrets.has(name.as_bytes()), "{name}");
        }
        for name in ["", "host", "monkey", "design", "author", "keyboard", "passenger", "etag", "%"]
        {
            assert!(!secrets.has(name.as_bytes()), "{name}");
        }
        assert!(secrets.are_named_in(b"user:7:password") && !secrets.are_named_in(b"key"));
    }

    #[test]
    fn nothing_is_shorter_than_the_shortest() {
        assert!(SECRET_NAMES.iter().all(|name| name.len() >= SHORTEST_NAME));
        assert!(SECRET_WORDS.iter().all(|word| word.len() >= SHORTEST_WORD));
        let secrets = Secrets::with_names([b"n".as_slice()]);
        assert!(secrets.has(b"N") && !secrets.has(b"m"));
    }

    #[test]
    fn secret_parameters_of_paths_are_masked() {
        for (path, expected) in [
            ("/cart;jsessionid=1E2F/items;page=2", "/cart;jsessionid=***/items;page=2"),
            ("/a;x=1;token=t", "/a;x=1;token=***"),
            ("/a;token=", "/a;token="),
            ("/sums/1+1=2", "/sums/1+1=2"),
            ("/plain", "/plain"),
        ] {
            let mut room = b"before".to_vec();
            let secrets = Secrets::default();
            let shown = masked(path.as_bytes(), &mut room, |f| secrets.in_path(path.as_bytes(), f));
            assert_eq!(String::from_utf8_lossy(shown), expected, "{path}");
        }
    }

    fn check(name: &str, value: &str, expected: &str) {
        let mut room = b"before".to_vec();
        let secrets = Secrets::default();
        let (name, value) = (name.as_bytes(), value.as_bytes());
        let shown = masked(value, &mut room, |found| secrets.in_header(name, value, found));
        assert_eq!(String::from_utf8_lossy(shown), expected, "{}", name.escape_ascii());
    }

    #[test]
    fn secret_headers_are_masked_whole() {
        check("Authorization", "Basic dXNlcjpwYXNz", "***");
        check("x-api-key", "abc", "***");
        check("X-CSRF-Token", "abc", "***");
        check("Accept", "text/html", "text/html");
        check("Accept", "", "");
    }

    #[test]
    fn cookies_keep_their_names() {
        check("Cookie", "a=1; b=2;c=x=y", "a=***; b=***;c=***");
        check("cookie", "secret", "***");
        check("cookie", "a=1; ", "a=***; ");
        check("Set-Cookie", "id=7; Path=/; HttpOnly", "id=***; Path=/; HttpOnly");
        check("Set-Cookie", "id", "***");
    }

    #[test]
    fn addresses_in_headers_lose_their_secrets() {
        check("Referer", "https://u:p@h/x?a=1&token=2#f", "https://***@h/x?a=1&token=***");
        check("Location", "/x?sig=abc;b=1", "/x?sig=***;b=1");
        check("Location", "/cart;jsessionid=1E2F?q=1", "/cart;jsessionid=***?q=1");
        check("Content-Type", "text/html; charset=utf-8", "text/html; charset=utf-8");
        check("Location", "http://h/a@b?q=1", "http://h/a@b?q=1");
        check("Referer", "http://", "http://");
        check("Link", "<http://a>, <http://u:p@b/c>", "<http://a>, <http://***@b/c>");
    }

    #[test]
    fn errors_in_headers_lose_their_secrets() {
        check("grpc-message", "no token=abc, sir", "no token=*** sir");
        check("Grpc-Message", "at http://u:p@h", "at http://***@h");
        check("grpc-message", "%C3%A4 token%3Da%25b%20c%", "%C3%A4 token%3D***%20c%");
        check("grpc-message", "plain%", "plain%");
        check("grpc-status-details-bin", "CAUSBXRva2Vu", "***");
        check("Grpc-Status-Details-Bin", "", "");
    }

    #[test]
    fn names_of_the_users_are_secret_too() {
        let secrets = Secrets::with_names([&b"X-Pin"[..], b"iban"]);
        assert!(secrets.has(b"x_pin") && secrets.has(b"IBAN") && secrets.are_named_in(b"iban"));
        assert!(secrets.has(b"password") && !secrets.has(b"ibans"));
    }

    #[test]
    fn nothing_is_secret_once_it_is_to_be_shown() {
        let secrets = Secrets::shown();
        assert!(!secrets.has(b"password") && !secrets.are_named_in(b"password"));
        let mut found = 0;
        secrets.in_header(b"Cookie", b"a=1", &mut |_| found += 1);
        secrets.in_header(b"Location", b"/x?token=1", &mut |_| found += 1);
        assert_eq!(found, 0);
    }
}
