//! Names that are given to addresses by something else than the messages that joining sees: files
//! of the user, what the capture file says, what clients of TLS asked for.

use std::sync::Arc;

/// A name that was given to an end of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The name. It is a [`word`].
    pub name: Box<str>,
    /// Who gave it.
    pub by: GivenBy,
}

/// Who gave a name, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GivenBy {
    /// A file of services (`--names`).
    Names,
    /// A file of hosts (`--hosts`).
    Hosts,
    /// A client that asked this server for it as it began TLS.
    ServerName,
    /// The capture file, which says what addresses are called.
    Capture,
}

impl GivenBy {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Names, Self::Hosts, Self::ServerName, Self::Capture];

    /// Its name in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Names => "names",
            Self::Hosts => "hosts",
            Self::ServerName => "sni",
            Self::Capture => "capture",
        }
    }
}

/// The names that were given to the two ends of an exchange, the surest of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenNames {
    /// To who asked.
    pub client: Option<Arc<Given>>,
    /// To who was asked.
    pub server: Option<Arc<Given>>,
}

impl GivenNames {
    /// Whether neither end has one.
    pub fn is_empty(&self) -> bool {
        self.client.is_none() && self.server.is_none()
    }
}

/// Takes the surer of two names; of two that are as sure, the first.
pub(crate) fn surer(one: Option<Arc<Given>>, other: Option<Arc<Given>>) -> Option<Arc<Given>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other.by < one.by { other } else { one }),
        (one, other) => one.or(other),
    }
}

/// A text as a name, if it can be one: not empty, at most [`LONGEST`] bytes, and no spaces or
/// characters that nobody sees.
pub fn word(text: &str) -> Option<&str> {
    let is_plain = |c: char| !c.is_control() && !c.is_whitespace() && !is_unseen(c);
    ((1..=LONGEST).contains(&text.len()) && text.chars().all(is_plain)).then_some(text)
}

/// Whether a character steers how others are shown, and shows nothing itself.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// The name of a host as a name here, if it can be one: letters, digits and `-._`, of which one is
/// a letter, without the dot that ends it. Not what every host calls itself.
pub fn host_word(text: &str) -> Option<&str> {
    any_host_word(text).filter(|text| !is_own(text))
}

/// The same, though every host may call itself so.
pub fn any_host_word(text: &str) -> Option<&str> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let belongs = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let is_name = text.len() <= LONGEST
        && text.bytes().all(belongs)
        && text.bytes().any(|byte| byte.is_ascii_alphabetic());
    is_name.then_some(text)
}

/// Whether every host calls itself so (RFC 6761, section 6.3).
pub fn is_own(name: &str) -> bool {
    let ends = ["localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"];
    ends.iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// The longest name of a host (RFC 1035, section 2.3.4).
pub const LONGEST: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_seen_as_they_are() {
        for (text, is_word, is_host) in [
            ("shop", true, true),
            ("shop.example", true, true),
            ("a/b:80@c", true, false),
            ("läden", true, false),
            ("10.0.0.7", true, false),
            ("LocalHost", true, false),
            ("", false, false),
            ("a b", false, false),
            ("a\u{1b}[1m", false, false),
            ("a\u{202e}b", false, false),
        ] {
            assert_eq!(word(text).is_some(), is_word, "{text:?}");
            assert_eq!(host_word(text).is_some(), is_host, "{text:?}");
        }
        assert_eq!(host_word("shop.example."), Some("shop.example"));
        assert!(word(&"a".repeat(LONGEST + 1)).is_none());
    }

    #[test]
    fn the_surer_name_is_taken() {
        let given = |name: &str, by| Some(Arc::new(Given { name: name.into(), by }));
        let (sure, less) = (given("a", GivenBy::Names), given("b", GivenBy::Capture));
        assert_eq!(surer(sure.clone(), less.clone()), sure);
        assert_eq!(surer(less.clone(), sure.clone()), sure);
        assert_eq!(surer(None, less.clone()), less);
        assert_eq!(surer(given("c", GivenBy::Names), sure), given("c", GivenBy::Names));
    }
}
