//! The messages of one side of a call, out of the bytes of its body.
//!
//! ```text
//! flags (1)  length (4)  message (length)
//!   0x01 it is compressed        0x80 it is the trailers (gRPC-Web)
//!                                0x02 it is the end of the stream (Connect)
//! ```
//!
//! Formats: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>,
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md>,
//! <https://connectrpc.com/docs/protocol>.

use crate::protocol::Timestamp;

/// How messages stand in a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Framing {
    /// In no way that is read.
    #[default]
    None,
    /// Each behind flags and length.
    Grpc,
    /// Likewise, and the trailers are the last one.
    Web,
    /// That, in base64.
    WebText,
    /// Likewise, and how it ended is the last one.
    Connect,
    /// The body is one message, which is kept as what it ends with.
    Kept,
}

/// What was seen of the messages of one side.
#[derive(Default)]
pub(super) struct Messages {
    framing: Framing,
    place: Place,
    /// Bytes of flags and length.
    head: [u8; HEAD],
    /// How many of them are there.
    filled: u8,
    /// Bytes of the present message that are still to come.
    left: u64,
    coded: Base64,
    /// Whether something came that is no message.
    is_other: bool,
    /// How many there were.
    pub(super) count: u64,
    /// How many of them were compressed.
    pub(super) compressed: u64,
    /// Bytes of the largest one.
    pub(super) largest: u64,
    /// When the first and the last one began.
    pub(super) span: Option<(Timestamp, Timestamp)>,
    /// What the body ended with: trailers, or an error.
    pub(super) tail: Vec<u8>,
    /// Whether there is all of it.
    pub(super) has_whole_tail: bool,
    /// Whether it is compressed.
    pub(super) is_tail_compressed: bool,
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Head,
    Message,
    Tail,
    /// Nobody knows.
    Lost,
}

impl Messages {
    pub(super) fn new(framing: Framing) -> Self {
        let place = if framing == Framing::Kept { Place::Tail } else { Place::Head };
        Self { framing, place, left: u64::MAX, ..Self::default() }
    }

    /// How many of the next bytes need not be shown.
    pub(super) fn skippable(&self) -> u64 {
        match self.place {
            _ if self.framing == Framing::None => u64::MAX,
            // Where base64 breaks off is no place that all would stop at.
            _ if self.framing == Framing::WebText => 0,
            Place::Lost => u64::MAX,
            Place::Message => self.left,
            Place::Tail if self.tail.len() >= TAIL_LIMIT => self.left,
            Place::Head | Place::Tail => 0,
        }
    }

    /// How many bytes there are, 1 at least, until something else follows.
    pub(super) fn piece(&self) -> u64 {
        match self.place {
            Place::Head if self.framing != Framing::WebText => HEAD as u64 - u64::from(self.filled),
            Place::Tail => self.left.min(TAIL_LIMIT.saturating_sub(self.tail.len()) as u64).max(1),
            Place::Message if self.framing != Framing::WebText => self.left,
            Place::Head | Place::Message | Place::Lost => u64::MAX,
        }
    }

    /// So many bytes were passed over, or are lost.
    pub(super) fn skip(&mut self, bytes: u64) {
        if bytes == 0 || self.framing == Framing::None {
            return;
        }
        let is_passable = match self.place {
            Place::Message => self.framing != Framing::WebText,
            Place::Tail => self.tail.len() >= TAIL_LIMIT,
            Place::Head | Place::Lost => false,
        };
        match self.left.checked_sub(bytes).filter(|_| is_passable) {
            Some(left) => {
                self.left = left;
                if left == 0 {
                    self.place = Place::Head;
                }
            }
            None => self.lose(),
        }
    }

    /// Nobody knows what comes next.
    pub(super) fn lose(&mut self) {
        self.place = Place::Lost;
        self.tail = Vec::new();
        self.coded = Base64::default();
    }

    /// Whether all were counted so far.
    pub(super) fn are_known(&self) -> bool {
        self.place != Place::Lost && !matches!(self.framing, Framing::None | Framing::Kept)
    }

    /// Whether nobody knows what came last.
    pub(super) fn are_lost(&self) -> bool {
        self.place == Place::Lost
    }

    /// Whether the body ended with something else than a message, or began to.
    pub(super) fn has_tail(&self) -> bool {
        self.has_whole_tail || (self.place == Place::Tail && self.framing != Framing::Kept)
    }

    /// Whether the body is one message, as far as it was seen.
    pub(super) fn is_kept(&self) -> bool {
        self.framing == Framing::Kept && self.place == Place::Tail
    }

    /// Whether there is all of that so far.
    pub(super) fn has_kept_all(&self) -> bool {
        self.is_kept() && self.tail.len() < TAIL_LIMIT
    }

    /// Whether there is more than one, if that is known.
    pub(super) fn are_many(&self) -> Option<bool> {
        let is_read = self.place != Place::Lost && self.framing != Framing::None;
        (is_read || self.count > 1).then_some(self.count > 1)
    }

    /// Whether all that came are whole messages, one at least.
    pub(super) fn are_whole(&self) -> bool {
        self.are_known() && self.place == Place::Head && self.filled == 0 && self.count > 0
    }

    /// Whether all may be messages, those that were lost too. `has_ended`: nothing follows.
    pub(super) fn may_be(&self, has_ended: bool) -> bool {
        let breaks_off =
            self.place != Place::Lost && (self.place != Place::Head || self.filled > 0);
        !self.is_other && self.framing != Framing::None && !(has_ended && breaks_off)
    }

    /// Reads the next bytes of the body.
    pub(super) fn read(&mut self, bytes: &[u8], at: Timestamp) {
        if self.framing != Framing::WebText {
            self.read_plain(bytes, at);
            return;
        }
        let mut plain = [0; 3 * 64];
        for piece in bytes.chunks(4 * 64 - 4) {
            if self.place == Place::Lost {
                return;
            }
            match self.coded.decode(piece, &mut plain) {
                Some(decoded) => self.read_plain(decoded, at),
                None => self.lose(),
            }
        }
    }

    fn read_plain(&mut self, mut bytes: &[u8], at: Timestamp) {
        if self.framing == Framing::None {
            return;
        }
        while !bytes.is_empty() {
            match self.place {
                Place::Head => {
                    let room = self.head.get_mut(usize::from(self.filled)..).unwrap_or_default();
                    let taken = room.len().min(bytes.len());
                    let (here, after) = bytes.split_at(taken);
                    room.iter_mut().zip(here).for_each(|(place, byte)| *place = *byte);
                    bytes = after;
                    self.filled += taken as u8;
                    if usize::from(self.filled) == HEAD {
                        self.filled = 0;
                        self.begin(at);
                    }
                }
                Place::Message | Place::Tail => {
                    let taken = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                    let (here, after) = bytes.split_at(taken);
                    bytes = after;
                    self.left -= taken as u64;
                    if self.place == Place::Tail {
                        let room = TAIL_LIMIT - self.tail.len().min(TAIL_LIMIT);
                        self.tail.extend_from_slice(here.get(..room).unwrap_or(here));
                        self.has_whole_tail |= self.left == 0 && taken <= room;
                    }
                    if self.left == 0 {
                        self.place = Place::Head;
                    }
                }
                Place::Lost => return,
            }
        }
    }

    /// Flags and length are there.
    fn begin(&mut self, at: Timestamp) {
        let [flags, length @ ..] = self.head;
        self.left = u64::from(u32::from_be_bytes(length));
        let ends = match self.framing {
            Framing::Web | Framing::WebText => flags & 0x80 != 0,
            Framing::Connect => flags & 0x02 != 0,
            Framing::None | Framing::Grpc | Framing::Kept => false,
        };
        if flags & !0x83 != 0 || (!ends && flags > 1) {
            self.is_other = true;
            self.lose();
            return;
        }
        if ends {
            self.place = Place::Tail;
            self.has_whole_tail = self.left == 0;
            self.is_tail_compressed = flags & 1 != 0;
        } else {
            self.place = Place::Message;
            self.count += 1;
            self.compressed += u64::from(flags & 1);
            self.largest = self.largest.max(self.left);
            let (first, _) = self.span.unwrap_or((at, at));
            self.span = Some((first, at));
        }
        if self.left == 0 {
            self.place = Place::Head;
        }
    }
}

/// Base64 in pieces; texts with padding may follow each other.
#[derive(Default)]
struct Base64 {
    bits: u32,
    letters: u8,
    padding: u8,
}

impl Base64 {
    /// The octets of a piece; `None` for what is no base64.
    fn decode<'p>(&mut self, piece: &[u8], plain: &'p mut [u8]) -> Option<&'p [u8]> {
        let mut filled = 0;
        for letter in piece {
            let value = match letter {
                b'A'..=b'Z' => letter - b'A',
                b'a'..=b'z' => letter - b'a' + 26,
                b'0'..=b'9' => letter - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                b'=' => {
                    self.padding = self.padding.saturating_add(1);
                    0
                }
                b'\r' | b'\n' => continue,
                _ => return None,
            };
            if *letter != b'=' && self.padding > 0 {
                return None;
            }
            self.bits = self.bits << 6 | u32::from(value);
            self.letters = self.letters.saturating_add(1);
            if self.letters >= 4 {
                let [_, octets @ ..] = self.bits.to_be_bytes();
                let count = 3_usize.checked_sub(usize::from(self.padding)).filter(|n| *n > 0)?;
                let room = plain.get_mut(filled..filled + count)?;
                room.iter_mut().zip(octets).for_each(|(place, octet)| *place = octet);
                filled += count;
                *self = Self::default();
            }
        }
        plain.get(..filled)
    }
}

/// Bytes before each message.
const HEAD: usize = 5;
/// Of what a body ends with, so many bytes are read.
pub(super) const TAIL_LIMIT: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    /// Count, compressed, largest, and what it ended with; the same in pieces of each size.
    fn check(framing: Framing, body: &[u8], expected: (u64, u64, u64, &[u8])) {
        for size in [1, 2, 3, 5, 7, 1000] {
            let mut messages = Messages::new(framing);
            body.chunks(size).for_each(|piece| messages.read(piece, Timestamp(1)));
            let found = (messages.count, messages.compressed, messages.largest, &*messages.tail);
            assert_eq!(found, expected, "{framing:?} {size}");
        }
    }

    #[test]
    fn messages_are_counted() {
        check(Framing::Grpc, b"", (0, 0, 0, b""));
        check(Framing::Grpc, b"\0\0\0\0\x02ab\x01\0\0\0\x03abc\0\0\0\0\0", (3, 1, 3, b""));
        // The last one is cut.
        check(Framing::Grpc, b"\0\0\0\0\x02ab\0\0\0\0\x09a", (2, 0, 9, b""));
    }

    #[test]
    fn what_a_body_ends_with_is_kept() {
        let web = b"\0\0\0\0\x02ab\x80\0\0\0\x0egrpc-status: 0";
        check(Framing::Web, web, (1, 0, 2, b"grpc-status: 0"));
        check(Framing::Connect, b"\0\0\0\0\x02{}\x02\0\0\0\x02{}", (1, 0, 2, b"{}"));
        check(Framing::Connect, b"\0\0\0\0\x02{}\x03\0\0\0\x02..", (1, 0, 2, b".."));
        check(Framing::Kept, b"{}", (0, 0, 0, b"{}"));
    }

    #[test]
    fn texts_in_base64_may_follow_each_other() {
        let first = STANDARD.encode(b"\0\0\0\0\x02ab");
        let second = STANDARD.encode(b"\x80\0\0\0\x0egrpc-status: 0");
        check(Framing::WebText, (first + &second).as_bytes(), (1, 0, 2, b"grpc-status: 0"));
        check(Framing::WebText, b"AAAA*", (0, 0, 0, b""));
        check(Framing::WebText, &[b'='; 600], (0, 0, 0, b""));
        check(Framing::WebText, &[&[b'='; 300][..], &b"AAAAAAA="[..]].concat(), (0, 0, 0, b""));
    }

    #[test]
    fn what_is_passed_over_is_counted() {
        let mut messages = Messages::new(Framing::Grpc);
        assert_eq!(messages.skippable(), 0);
        messages.read(b"\0\0\0\x10\0ab", Timestamp(1));
        assert_eq!(messages.skippable(), 4094);
        messages.skip(4000);
        messages.skip(94);
        assert_eq!((messages.skippable(), messages.are_known()), (0, true));
        messages.read(b"\0\0\0\0\x01", Timestamp(7));
        messages.skip(2);
        assert_eq!((messages.are_known(), messages.skippable()), (false, u64::MAX));
        assert_eq!(messages.span, Some((Timestamp(1), Timestamp(7))));
    }

    #[test]
    fn what_is_no_message_is_not_counted_on() {
        for flags in [0x80, 2, 3, 4, 0x40] {
            let mut messages = Messages::new(Framing::Grpc);
            messages.read(&[0, 0, 0, 0, 0, flags, 0, 0, 0, 0], Timestamp(1));
            assert!(!messages.are_known(), "{flags:x}");
        }
    }
}
