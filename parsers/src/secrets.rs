//! Which values are secret, by the names that they have, and what is kept in their place. The one
//! list of such names; a protocol masks before it hands over.

use memchr::{memchr, memchr2, memmem, memrchr};
use smallvec::SmallVec;

/// Whether a name, however it is written, is one of a secret.
pub(crate) fn is_secret(name: &[u8]) -> bool {
    let plain = plain(name);
    SECRET_NAMES.contains(&plain.as_slice()) || has_secret_word(&plain)
}

/// Whether a name has a word in it that only secrets have; for names that may be anything, such as
/// keys.
pub(crate) fn names_a_secret(name: &[u8]) -> bool {
    has_secret_word(&plain(name))
}

/// The query of an address with [`MASK`] for each value whose name says that it is secret; in
/// `masked` if any is.
pub(crate) fn without_secrets<'q>(query: &'q [u8], masked: &'q mut Vec<u8>) -> &'q [u8] {
    without(query, masked, |rest| memchr2(b'&', b';', rest))
}

/// The same of its path, whose parts may have parameters: `/cart;jsessionid=7/items`.
pub(crate) fn path_without_secrets<'q>(path: &'q [u8], masked: &'q mut Vec<u8>) -> &'q [u8] {
    match memchr(b'=', path) {
        Some(_) => without(path, masked, |rest| memchr2(b'/', b';', rest)),
        None => path,
    }
}

/// A text of parameters without the values of those that are secret.
fn without<'q>(
    text: &'q [u8],
    masked: &'q mut Vec<u8>,
    end: impl Fn(&[u8]) -> Option<usize>,
) -> &'q [u8] {
    masked.clear();
    let mut copied = 0;
    let mut start = 0;
    while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
        let parameter = before(rest, end(rest));
        if let Some(equals) = memchr(b'=', parameter)
            && equals + 1 < parameter.len()
            && is_secret(parameter.get(..equals).unwrap_or_default())
        {
            masked.extend_from_slice(text.get(copied..=start + equals).unwrap_or_default());
            masked.extend_from_slice(MASK);
            copied = start + parameter.len();
        }
        start += parameter.len() + 1;
    }
    if copied == 0 {
        return text;
    }
    masked.extend_from_slice(text.get(copied..).unwrap_or_default());
    masked
}

/// The value of a header as it may be shown: of cookies the names, of addresses all but passwords
/// and secret parameters, and of what is secret by its own name nothing.
pub(crate) fn masked_header(name: &[u8], value: &[u8], masked: &mut Vec<u8>) {
    masked.clear();
    if name.eq_ignore_ascii_case(b"cookie") {
        for (place, cookie) in value.split(|byte| *byte == b';').enumerate() {
            if place > 0 {
                masked.push(b';');
            }
            masked_cookie(cookie, masked);
        }
    } else if name.eq_ignore_ascii_case(b"set-cookie") {
        let cookie = before(value, memchr(b';', value));
        masked_cookie(cookie, masked);
        masked.extend_from_slice(value.get(cookie.len()..).unwrap_or_default());
    } else if is_secret(name) {
        masked.extend_from_slice(MASK);
    } else {
        let mut rest = value;
        while let Some(scheme) = memmem::find(rest, b"://") {
            let (head, after) = rest.split_at_checked(scheme + 3).unwrap_or((rest, &[]));
            let end = after.iter().position(|byte| b"/?#,; ".contains(byte));
            masked.extend_from_slice(head);
            rest = after;
            if let Some(at) = memrchr(b'@', before(after, end)) {
                masked.extend_from_slice(MASK);
                rest = after.get(at..).unwrap_or_default();
            }
        }
        masked.extend_from_slice(rest);
        if memchr(b'=', masked).is_some() {
            let mut scratch = Vec::new();
            let query = masked.split_off(memchr(b'?', masked).unwrap_or(masked.len()));
            let path = std::mem::take(masked);
            masked.extend_from_slice(path_without_secrets(&path, &mut scratch));
            masked.extend_from_slice(without_secrets(&query, &mut scratch));
        }
    }
}

/// A cookie's name, and a mask for its value.
fn masked_cookie(cookie: &[u8], masked: &mut Vec<u8>) {
    match memchr(b'=', cookie).and_then(|equals| cookie.get(..=equals)) {
        Some(name) => {
            masked.extend_from_slice(name);
            masked.extend_from_slice(MASK);
        }
        None if cookie.trim_ascii().is_empty() => masked.extend_from_slice(cookie),
        // Without a name, all of it is the value.
        None => masked.extend_from_slice(MASK),
    }
}

/// The letters and digits of a name, in lower case.
fn plain(name: &[u8]) -> SmallVec<[u8; 64]> {
    let mut plain = SmallVec::new();
    let mut rest = name;
    loop {
        let (byte, after) = match rest {
            [b'%', high, low, after @ ..] => match (hex_digit(*high), hex_digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (b'%', rest.get(1..).unwrap_or_default()),
            },
            [byte, after @ ..] => (*byte, after),
            [] => return plain,
        };
        if byte.is_ascii_alphanumeric() {
            plain.push(byte.to_ascii_lowercase());
        }
        rest = after;
    }
}

fn has_secret_word(plain: &[u8]) -> bool {
    let mut rest = plain;
    while let Some((first, after)) = rest.split_first() {
        // A comparison of whole words is what costs, and few letters pass this.
        if FIRST_LETTERS.contains(first) && SECRET_WORDS.iter().any(|word| rest.starts_with(word)) {
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

/// With which of them begin.
const FIRST_LETTERS: &[u8] = b"acfmprst";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_is_secret() {
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
            assert!(is_secret(name.as_bytes()), "{name}");
        }
        for name in ["", "host", "monkey", "design", "author", "keyboard", "passenger", "etag", "%"]
        {
            assert!(!is_secret(name.as_bytes()), "{name}");
        }
        assert!(names_a_secret(b"user:7:password") && !names_a_secret(b"key"));
    }

    #[test]
    fn words_begin_with_their_letters() {
        for word in SECRET_WORDS {
            assert!(has_secret_word(word), "{}", word.escape_ascii());
        }
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
            let mut masked = b"before".to_vec();
            let shown = path_without_secrets(path.as_bytes(), &mut masked);
            assert_eq!(String::from_utf8_lossy(shown), expected, "{path}");
        }
    }

    fn check(name: &str, value: &str, expected: &str) {
        let mut masked = b"before".to_vec();
        masked_header(name.as_bytes(), value.as_bytes(), &mut masked);
        assert_eq!(String::from_utf8_lossy(&masked), expected, "{name}: {value}");
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
}
