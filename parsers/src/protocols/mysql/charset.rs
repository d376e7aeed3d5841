//! Character sets in which the second byte of a character may look like a backslash: what a
//! backslash escapes there is told by whole characters.
//!
//! <https://dev.mysql.com/doc/refman/8.4/en/charset-asian-sets.html>

use crate::sql::Backslash;

/// What a backslash is where a login names this collation by the lower byte of its number.
pub(super) fn escapes_in_collation(collation: u8) -> Backslash {
    // Two of each of Big5, Shift JIS, GBK and code page 932; three of GB 18030.
    escapes(matches!(collation, 1 | 84 | 13 | 88 | 28 | 87 | 95 | 96 | 248..=250))
}

/// What it is behind this statement, if that sets the client's character set: `SET NAMES gbk`,
/// `SET CHARACTER SET gbk`, `SET character_set_client = gbk`.
pub(super) fn escapes_behind(sql: &[u8]) -> Option<Backslash> {
    let sql = sql.get(..STATEMENT_LIMIT).unwrap_or(sql);
    let is_between = |byte: &u8| byte.is_ascii_whitespace() || b"='\"`;@.:".contains(byte);
    let mut words = sql.split(is_between).filter(|word| !word.is_empty());
    if !words.next()?.eq_ignore_ascii_case(b"SET") {
        return None;
    }
    while let Some(word) = words.next() {
        let word = word.to_ascii_lowercase();
        let name = match word.as_slice() {
            b"names" | b"charset" | b"character_set_client" => words.next()?,
            b"character" => words.nth(1)?,
            _ => continue,
        };
        let name = name.split(|byte| *byte == b',').next().unwrap_or_default();
        return Some(escapes(NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))));
    }
    None
}

fn escapes(among_double_bytes: bool) -> Backslash {
    if among_double_bytes { Backslash::EscapesAmongDoubleBytes } else { Backslash::Escapes }
}

const NAMES: [&[u8]; 5] = [b"gbk", b"gb18030", b"big5", b"sjis", b"cp932"];

/// Bytes of a statement that are looked at.
const STATEMENT_LIMIT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_set_the_character_set() {
        for sql in [
            "SET NAMES gbk",
            "set names 'GBK' COLLATE gbk_bin",
            "SET CHARACTER SET big5",
            "SET CHARSET sjis;",
            "SET @@session.character_set_client=gb18030,autocommit=1",
            "SET autocommit=1, NAMES cp932",
        ] {
            let expected = Some(Backslash::EscapesAmongDoubleBytes);
            assert_eq!(escapes_behind(sql.as_bytes()), expected, "{sql}");
        }
        assert_eq!(escapes_behind(b"SET NAMES utf8mb4"), Some(Backslash::Escapes));
        assert_eq!(escapes_behind(b"SELECT names gbk"), None);
        assert_eq!(escapes_behind(b"SET autocommit=1"), None);
        assert_eq!(escapes_behind(b"SET NAMES"), None);
    }
}
