//! What a flow is told by the protocol that it was before, or that carries it: an upgrade says what
//! was asked for and granted, a tunnel where it leads, a line before all else who the client is.

use crate::message::Side;
use smallvec::SmallVec;

/// What a flow begins with that becomes something else, or is carried inside of another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handed {
    /// The name of the protocol that hands it over, such as `http`.
    pub by: &'static str,
    /// The side that asked for it: it is the client of what follows.
    pub client: Option<Side>,
    /// What it becomes, by the word of the protocol before, in lower case, such as `websocket`;
    /// empty if that was not said.
    pub protocol: Vec<u8>,
    /// What was asked for, as it may be shown, such as the path.
    pub resource: Vec<u8>,
    /// Host and port that the flow leads to, if its server is not the one at its address.
    pub server: Vec<u8>,
    /// The headers of what granted it. What of them is secret must not be shown.
    pub granted: Fields,
    /// What is told of each exchange that follows.
    pub attributes: SmallVec<[(&'static str, Told); 2]>,
}

/// The value of an attribute that is told of each exchange that follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Text.
    Text(Vec<u8>),
    /// A whole number.
    Int(i64),
}

impl Handed {
    /// Adds what was known before of the flow, where this does not say it anew.
    #[must_use]
    pub fn after(mut self, before: Option<&Self>) -> Self {
        let Some(before) = before else { return self };
        if self.server.is_empty() {
            self.server.clone_from(&before.server);
        }
        for (name, told) in &before.attributes {
            self.add(name, told.clone());
        }
        self
    }

    /// Tells each exchange that follows this, unless it is empty or such a name was told before.
    pub fn tell(&mut self, name: &'static str, text: &[u8]) {
        if !text.is_empty() {
            let text = text.get(..TEXT).unwrap_or(text);
            self.add(name, Told::Text(text.to_vec()));
        }
    }

    /// Tells each exchange that follows this number, unless such a name was told before.
    pub fn tell_number(&mut self, name: &'static str, number: i64) {
        self.add(name, Told::Int(number));
    }

    fn add(&mut self, name: &'static str, told: Told) {
        let is_known = self.attributes.iter().any(|(known, _)| *known == name);
        if !is_known && self.attributes.len() < ATTRIBUTES {
            self.attributes.push((name, told));
        }
    }
}

/// Names and values, as far as there is room for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(Vec<u8>, Vec<u8>)>);

impl Fields {
    /// Keeps the first of them.
    pub fn of<'b>(fields: impl Iterator<Item = (&'b [u8], &'b [u8])>) -> Self {
        let mut room = ROOM;
        let mut kept = Vec::new();
        for (name, value) in fields.take(FIELDS) {
            let size = name.len() + value.len();
            if size <= room {
                room -= size;
                kept.push((name.to_ascii_lowercase(), value.to_vec()));
            }
        }
        Self(kept)
    }

    /// The first value of this name, which is in lower case.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// All values of this name, which is in lower case.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter(move |(known, _)| known == name.as_bytes()).map(|(_, value)| &**value)
    }
}

/// Where the flow leads, as `host:port`, in the attributes of what is carried through a tunnel.
pub const TUNNEL: &str = "wirespan.tunnel.server";

/// Headers that are kept, and bytes of them.
const FIELDS: usize = 48;
const ROOM: usize = 4 << 10;
/// Attributes that each exchange that follows is told with, and bytes of the text of one.
const ATTRIBUTES: usize = 8;
const TEXT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_known_before_stays_unless_it_is_said_anew() {
        let mut line = Handed { by: "proxy-protocol", ..Handed::default() };
        line.tell("client.address", b"192.0.2.1");
        line.tell(TUNNEL, b"a.test:80");
        let mut tunnel = Handed { by: "http", server: b"b.test:443".to_vec(), ..Handed::default() };
        tunnel.tell(TUNNEL, b"b.test:443");
        let both = tunnel.after(Some(&line));
        let text = |text: &str| Told::Text(text.as_bytes().to_vec());
        let expected = [(TUNNEL, text("b.test:443")), ("client.address", text("192.0.2.1"))];
        assert_eq!(both.attributes[..], expected);
        assert_eq!(Handed::default().after(Some(&both)).server, b"b.test:443");
    }

    #[test]
    fn what_is_told_first_counts() {
        let mut handed = Handed::default();
        handed.tell("a", b"1");
        handed.tell("a", b"2");
        handed.tell_number("a", 3);
        assert_eq!(handed.attributes[..], [("a", Told::Text(b"1".to_vec()))]);
    }

    #[test]
    fn headers_beyond_the_room_are_left_out() {
        let long = vec![b'x'; ROOM];
        let all = [(&b"A"[..], &b"1"[..]), (b"b", &long), (b"a", b"2")];
        let fields = Fields::of(all.into_iter());
        assert_eq!(fields.all("a").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(fields.first("b"), None);
    }
}
