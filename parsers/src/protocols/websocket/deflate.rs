//! Messages that are compressed: their payload in, their content out (RFC 7692 section 7).

use crate::inflate::{CONTENT, FLATE_WINDOW, Flate, Inflated, Room, Share, most_of};

/// What inflates the messages of one side.
#[derive(Default)]
pub(super) enum Deflate {
    /// Nothing was agreed upon, or what came before is not known.
    #[default]
    Unknown,
    /// It was agreed upon.
    Agreed {
        /// Whether messages refer to those before them.
        takeover: bool,
        /// What knows those before, with the memory that it takes.
        flate: Option<(Flate, Share)>,
        /// Bytes of content of the present message.
        given: u64,
        /// Bytes of payload and of content of all messages.
        total: (u64, u64),
    },
}

impl Deflate {
    /// What the handshake agreed upon for client and server (section 7.1).
    pub(super) fn agreed<'b>(extensions: impl Iterator<Item = &'b [u8]>) -> [Self; 2] {
        for extension in extensions.flat_map(|value| value.split(|byte| *byte == b',')) {
            let mut parts = extension.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let name = parts.next().unwrap_or_default();
            if !name.eq_ignore_ascii_case(b"permessage-deflate") {
                continue;
            }
            let has = |wanted: &[u8]| parts.clone().any(|part| part.eq_ignore_ascii_case(wanted));
            let side = |wanted| Self::Agreed {
                takeover: !has(wanted),
                flate: None,
                given: 0,
                total: (0, 0),
            };
            return [side(b"client_no_context_takeover"), side(b"server_no_context_takeover")];
        }
        [Self::Unknown, Self::Unknown]
    }

    /// Whether the next message can be inflated.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self, Self::Agreed { .. })
    }

    /// Inflates a whole message.
    pub(super) fn message(
        &mut self,
        payload: &[u8],
        room: &Room,
        give: &mut dyn FnMut(&[u8]),
    ) -> Inflated {
        match self.part(payload, room, give) {
            Inflated::Going => self.end(room, give),
            state => state,
        }
    }

    /// Inflates a part of a message.
    pub(super) fn part(
        &mut self,
        payload: &[u8],
        room: &Room,
        give: &mut dyn FnMut(&[u8]),
    ) -> Inflated {
        let Self::Agreed { flate, given, total, .. } = self else { return Inflated::Failed };
        let (taken, of_all) = total;
        *taken = taken.saturating_add(payload.len() as u64);
        if flate.is_none() {
            *flate = room.take(FLATE_WINDOW).map(|share| (Flate::raw(), share));
        }
        let Some((inflater, _)) = flate else {
            self.pass_over();
            return Inflated::Capped;
        };
        let pushed = inflater.push(payload, &mut |piece| {
            *given = given.saturating_add(piece.len() as u64);
            *of_all = of_all.saturating_add(piece.len() as u64);
            // Many messages may each stand for much, too.
            let fits = *given <= CONTENT && *of_all <= most_of(*taken);
            if fits {
                give(piece);
            }
            fits
        });
        match pushed {
            Ok((_, false)) => Inflated::Going,
            // Section 7.2.3.4: the last block may be a final one. Nobody sends those.
            Ok((_, true)) => {
                self.pass_over();
                Inflated::Failed
            }
            Err(state) => {
                self.pass_over();
                state
            }
        }
    }

    /// A message is over; what its sender left off is put back (section 7.2.2).
    pub(super) fn end(&mut self, room: &Room, give: &mut dyn FnMut(&[u8])) -> Inflated {
        let state = self.part(&[0x00, 0x00, 0xff, 0xff], room, give);
        if let Self::Agreed { takeover, flate, given, .. } = self {
            *given = 0;
            if !*takeover {
                *flate = None;
            }
        }
        if state == Inflated::Going { Inflated::Whole } else { state }
    }

    /// A message, or a part of one, is lost, makes no sense, or is not looked at. Later ones can be
    /// read only if they do not refer to it.
    pub(super) fn pass_over(&mut self) {
        match self {
            Self::Agreed { takeover: false, flate, given, .. } => (*flate, *given) = (None, 0),
            _ => *self = Self::Unknown,
        }
    }
}
