//! What an operation is applied to, without what differs from call to call: in goes `/item/17`,
//! out comes `/item/{id}`.
//!
//! This looks at one path or key and knows of no other. A part counts as one that differs if
//! nobody would choose it as a name: numbers, dates, addresses of mail, and what looks like
//! chance. All of these hold a digit, or an `@`.

/// The template of what this operation is applied to, where it is not that itself. A tunnel leads
/// to a host and a port, which are chosen names both.
pub fn template_of(operation: &[u8], resource: &[u8]) -> Option<Vec<u8>> {
    let is_place = operation == b"CONNECT" && !resource.starts_with(b"/");
    if is_place { None } else { template(resource) }
}

/// The template of a path or a key, where it is not that itself.
pub fn template(resource: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    // What stands before this has been put there.
    let mut done = 0;
    let mut start = 0;
    let mut seen = 0;
    let ends = std::iter::once(SEPARATOR);
    for (at, class) in resource.iter().map(class).chain(ends).enumerate() {
        if class != SEPARATOR {
            seen |= class;
            continue;
        }
        if seen & (DIGIT | AT) != 0
            && let Some(part) = resource.get(start..at)
        {
            let before = out.len();
            if out.is_empty() {
                out.reserve(resource.len() + DATE.len());
            }
            out.extend_from_slice(resource.get(done..start).unwrap_or_default());
            if put_part(part, seen, &mut out) {
                done = at;
            } else {
                out.truncate(before);
            }
        }
        (start, seen) = (at + 1, 0);
    }
    if done == 0 {
        return None;
    }
    out.extend_from_slice(resource.get(done..).unwrap_or_default());
    Some(out)
}

/// The parts of a path or a key, each with the separator before it.
pub fn pieces(resource: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = resource;
    std::iter::from_fn(move || {
        let after = rest.get(1..)?;
        let len = after.iter().position(is_separator).unwrap_or(after.len());
        let (piece, others) = rest.split_at_checked(len + 1)?;
        rest = others;
        Some(piece)
    })
}

/// Whether a byte separates the parts of a path or a key.
pub(crate) fn is_separator(byte: &u8) -> bool {
    class(byte) == SEPARATOR
}

/// Puts the template of what stands between two separators; false: it is that itself, and what
/// was put is of no use.
fn put_part(part: &[u8], seen: u8, out: &mut Vec<u8>) -> bool {
    if seen & (AT | PERCENT) != 0 && is_mail(part) {
        out.extend_from_slice(b"{email}");
        return true;
    }
    let is_id = match seen {
        DIGIT => true,
        _ if seen & !(DIGIT | SIGN) == 0 => {
            if is_version(part) {
                return false;
            }
            after_date(part).is_none()
        }
        _ if part.len() < LONG_RANDOM => false,
        _ => is_uuid(part) || is_random(part, LONG_RANDOM),
    };
    if is_id {
        out.extend_from_slice(ID);
        return true;
    }
    if seen & !(DIGIT | CAPITAL | SMALL) != 0 {
        return put_words(part, out);
    }
    let kept = kept(part, false);
    out.extend_from_slice(kept);
    out.extend_from_slice(ID);
    kept.len() < part.len()
}

/// Puts the template of a part, word by word: `report-2026-11-25.pdf` is `report-{date}.pdf`.
fn put_words(part: &[u8], out: &mut Vec<u8>) -> bool {
    let mut changed = false;
    let mut rest = part;
    while let Some(first) = rest.first() {
        if first.is_ascii_digit()
            && let Some(after) = after_date(rest)
        {
            out.extend_from_slice(DATE);
            rest = after;
            changed = true;
            continue;
        }
        let word = rest.iter().take_while(|byte| is_of_word(byte)).count();
        let len = match (word, first) {
            // An escaped byte, `%2D`, holds digits that are none.
            (0, b'%') => 3.min(rest.len()),
            (0, _) => 1,
            _ => word,
        };
        let Some((this, after)) = rest.split_at_checked(len) else { return changed };
        let kept = if word == 0 {
            this
        } else {
            let is_first = this.len() + after.len() == part.len();
            let dotted = out.last() == Some(&b'.') || after.first() == Some(&b'.');
            kept(this, dotted && !is_first)
        };
        out.extend_from_slice(kept);
        if kept.len() < this.len() {
            out.extend_from_slice(ID);
            changed = true;
        }
        rest = after;
    }
    changed
}

fn is_of_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

/// What is kept of a word before its `{id}`, or all of it.
fn kept(word: &[u8], may_be_version: bool) -> &[u8] {
    let letters = word.iter().take_while(|byte| !byte.is_ascii_digit()).count();
    let (before, number) = word.split_at_checked(letters).unwrap_or_default();
    let ends_in_number = number.iter().all(u8::is_ascii_digit);
    let is_hex = || word.len() >= HEX && word.iter().all(u8::is_ascii_hexdigit);
    match number.len() {
        0 => word,
        // A part of a version, as in python-3.11.
        1 | 2 if letters == 0 && ends_in_number && may_be_version => word,
        _ if letters == 0 && ends_in_number => &[],
        _ if is_hex() || is_random(word, RANDOM) => &[],
        NUMBER.. if ends_in_number => before,
        _ => word,
    }
}

/// Two or three short numbers, as in `1.1` and `3.11.2`.
fn is_version(part: &[u8]) -> bool {
    let numbers = || part.split(|byte| *byte == b'.');
    let short = |number: &[u8]| number.len() <= 2 && number.iter().all(u8::is_ascii_digit);
    (2..=3).contains(&numbers().count()) && numbers().all(short)
}

/// 8, 4, 4, 4 and 12 hexadecimal digits, also in braces.
fn is_uuid(part: &[u8]) -> bool {
    let part = part.strip_prefix(b"{").and_then(|part| part.strip_suffix(b"}")).unwrap_or(part);
    let groups = part.split(|byte| *byte == b'-').map(<[u8]>::len);
    groups.eq([8, 4, 4, 4, 12]) && part.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
}

fn is_mail(part: &[u8]) -> bool {
    let is_at = |window: &[u8]| window == b"%40";
    let at = part.iter().position(|byte| *byte == b'@').map(|at| (at, at + 1));
    let at = at.or_else(|| part.windows(3).position(is_at).map(|at| (at, at + 3)));
    let Some((name, host)) = at else { return false };
    name > 0 && part.get(host..).is_some_and(|host| host.contains(&b'.'))
}

/// Whether a text of at least so many bytes looks as if chance had made it: digits in several
/// places, and few characters of one kind in a row. Of several words this is asked only where
/// there are small and capital letters, as in base64.
fn is_random(text: &[u8], shortest: usize) -> bool {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let text = text.get(..text.len() - padding).unwrap_or_default();
    if text.len() < shortest {
        return false;
    }
    let (mut last, mut changes, mut numbers, mut seen, mut signs) = (0, 0, 0, 0, 0);
    for byte in text {
        let kind = class(byte);
        match kind {
            DIGIT | CAPITAL | SMALL => {}
            SIGN => {
                signs += 1;
                continue;
            }
            _ => return false,
        }
        changes += usize::from(kind != last);
        numbers += usize::from(kind != last && kind == DIGIT);
        seen |= kind;
        last = kind;
    }
    if seen == DIGIT | CAPITAL | SMALL && text.len() >= LONG_RANDOM {
        let of_ten = if numbers >= 3 { 3 } else { 5 };
        return 10 * changes >= of_ten * text.len() && 8 * signs <= text.len();
    }
    signs == 0 && numbers >= 3 && 4 * changes >= text.len()
}

/// What follows a date such as `2026-11-25` or `2026-11-25T01`, if a text begins with one.
fn after_date(text: &[u8]) -> Option<&[u8]> {
    let (date, after) = text.split_at_checked(10)?;
    let [year @ .., b'-', m, n, b'-', d, e] = date else { return None };
    let number = |tens: &u8, ones: &u8| {
        (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| 10 * (tens - b'0') + (ones - b'0'))
    };
    let is_date = year.iter().all(u8::is_ascii_digit)
        && (1..=12).contains(&number(m, n)?)
        && (1..=31).contains(&number(d, e)?);
    if !is_date {
        return None;
    }
    match after {
        [b'T', h, i, after @ ..] if number(h, i).is_some() => Some(after),
        [next, ..] if is_of_word(next) => None,
        _ => Some(after),
    }
}

const ID: &[u8] = b"{id}";
const DATE: &[u8] = b"{date}";
/// Digits at the end of a word that are no part of a name, unlike those of `sha256`.
const NUMBER: usize = 4;
/// Hexadecimal digits, one of them below ten, that are no word.
const HEX: usize = 8;
/// Bytes of a word that may be random.
const RANDOM: usize = 10;
/// Bytes of several words that may be random.
const LONG_RANDOM: usize = 16;

/// What sort of byte it is.
fn class(byte: &u8) -> u8 {
    CLASSES.get(usize::from(*byte)).copied().unwrap_or_default()
}

const CLASSES: [u8; 256] = {
    let mut classes = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'/' | b':' | b'|' | b'#' | b',' | b';' => SEPARATOR,
            b'0'..=b'9' => DIGIT,
            b'A'..=b'Z' => CAPITAL,
            b'a'..=b'z' => SMALL,
            b'-' | b'.' | b'_' | b'+' | b'~' => SIGN,
            b'@' => AT,
            b'%' => PERCENT,
            _ => OTHER,
        };
        byte += 1;
    }
    classes
};
const SEPARATOR: u8 = 0;
const DIGIT: u8 = 1;
const CAPITAL: u8 = 2;
const SMALL: u8 = 4;
const SIGN: u8 = 8;
const AT: u8 = 16;
const PERCENT: u8 = 32;
const OTHER: u8 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(resource: &str, expected: &str) {
        let made = template(resource.as_bytes()).unwrap_or_else(|| resource.as_bytes().to_vec());
        assert_eq!(String::from_utf8_lossy(&made), expected, "of {resource}");
    }

    fn stays(resource: &str) {
        assert_eq!(template(resource.as_bytes()), None, "{resource}");
    }

    #[test]
    fn numbers_are_ids() {
        check("/item/17", "/item/{id}");
        check("/item/17/", "/item/{id}/");
        check("/users/4/orders/5", "/users/{id}/orders/{id}");
        check("/account/-1", "/account/{id}");
        check("/phone/+49-30-123456", "/phone/{id}");
        check("/hosts/10.0.0.7", "/hosts/{id}");
        check("/a/1,2,3", "/a/{id},{id},{id}");
        check("/users/123:activate", "/users/{id}:activate");
        check("17", "{id}");
    }

    #[test]
    fn numbers_in_words_are_ids() {
        check("/order-12345", "/order-{id}");
        check("/order_7_lines", "/order_{id}_lines");
        check("/item12345", "/item{id}");
        check("/photo/1234.jpg", "/photo/{id}.jpg");
        check("/items/7.json", "/items/{id}.json");
    }

    #[test]
    fn names_with_digits_stay() {
        for path in [
            "/api/v1/items",
            "/v1.2/items",
            "/1.1/statuses",
            "/3.11.2/library",
            "/oauth2/token",
            "/sha256/md5",
            "/ipv4/x86",
            "/s3/base64",
            "/python-3.11/lib",
            "/log4j2.xml",
            "/h264.mp4",
            "/jquery-3.6.min.js",
        ] {
            stays(path);
        }
    }

    #[test]
    fn plain_words_stay() {
        for path in [
            "",
            "/",
            "//",
            "*",
            "/orders",
            "/getUserProfileByAccountNumber",
            "/a-very-long-title-of-an-article-about-nothing-at-all",
            "/deadbeef/facade",
            "/b%C3%BCcher",
            "/bücher",
        ] {
            stays(path);
        }
    }

    #[test]
    fn what_chance_has_made_is_an_id() {
        for id in [
            "123e4567-e89b-12d3-a456-426614174000",
            "{123E4567-E89B-12D3-A456-426614174000}",
            "507f1f77bcf86cd799439011",
            "8f3a9c1d",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "k7d9x2m4p1q8",
            "V1StGXR8_Z5jdHi6B-myT",
            "dGhpcyBpcyBhIHRlc3Qgb2YgNjQ=",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVPmB92K27uhbU",
        ] {
            check(&format!("/x/{id}/y"), "/x/{id}/y");
            check(&format!("session:{id}"), "session:{id}");
        }
        stays("/MyReport-Of-The-Year-v2-Final");
        check("/assets/app.8f3a9c1d2e.js", "/assets/app.{id}.js");
        check("/download/k7d9x2m4p1q8.zip", "/download/{id}.zip");
    }

    #[test]
    fn dates_are_dates() {
        check("/log/2026-11-25", "/log/{date}");
        check("/report-2026-11-25.pdf", "/report-{date}.pdf");
        check("/since/2026-11-25T01:09:35", "/since/{date}:{id}:{id}");
        check("/log/2026-13-25", "/log/{id}");
    }

    #[test]
    fn addresses_of_mail_are_addresses() {
        check("/users/ann@shop.example", "/users/{email}");
        check("/users/ann.b%40shop.example/orders", "/users/{email}/orders");
        stays("/@scope/package");
    }

    #[test]
    fn keys_have_the_same_rules() {
        check("items:8", "items:{id}");
        check("user:{1234}:cart", "user:{{id}}:cart");
        check("cache/8f3a9c1d/v2", "cache/{id}/v2");
        check("rate|10.0.0.7|2026-11-25", "rate|{id}|{date}");
        stays("orders:misses");
    }

    #[test]
    fn parameters_of_a_part_are_parts() {
        check("/cart;jsessionid=1E2F3A4B5C", "/cart;jsessionid={id}");
    }

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        let made = template(b"/\xff\xfe/17").expect("a template");
        assert_eq!(&*made, b"/\xff\xfe/{id}");
        stays("/%");
        check("/5%4", "/{id}%4");
    }

    #[test]
    fn any_bytes_have_a_template_that_is_its_own() {
        // A generator of numbers by Knuth, so that a failure comes again.
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize
        };
        let alphabet = b"/:;%@.-_=17fF9aZz\xff{}";
        for _ in 0..20_000 {
            let text: Vec<u8> = (0..next() % 40)
                .filter_map(|_| alphabet.get(next() % alphabet.len()).copied())
                .collect();
            if let Some(made) = template(&text) {
                assert_ne!(&*made, &*text);
                assert_eq!(
                    made.iter().filter(|b| is_separator(b)).count(),
                    text.iter().filter(|b| is_separator(b)).count()
                );
            }
        }
    }

    #[test]
    fn pieces_make_up_the_whole() {
        for text in ["", "a", "/", "/a//b:", "items:8", "/a/b/c"] {
            let parts: Vec<&[u8]> = pieces(text.as_bytes()).collect();
            assert_eq!(parts.concat(), text.as_bytes(), "{text}");
        }
        let parts: Vec<&[u8]> = pieces(b"/a//b:c").collect();
        assert_eq!(parts, [&b"/a"[..], b"/", b"/b", b":c"]);
    }
}
