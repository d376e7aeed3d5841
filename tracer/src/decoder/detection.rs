//! Who reads a flow: its first bytes in, the protocol that recognises them out, or else what they
//! tell of a flow that nobody reads.

use crate::decoder::side::SideState;
use crate::decoder::{FlowDecoder, Found, Mode, Shared};
use crate::unknown::{Stranger, Told};
use wirespan_capture::stream::Seen;
use wirespan_parsers::client_hello::{LONGEST, ServerName, server_name};
use wirespan_parsers::detect::{Detection, detect};
use wirespan_parsers::message::Side;
use wirespan_parsers::protocol::Transport;
use wirespan_parsers::unread::{is_client_hello, is_tls, then_tls, unread};

impl FlowDecoder {
    /// Who is asked and how many bytes came, of a flow that nobody has recognised.
    pub fn unknown(&self) -> Option<(Stranger, u64)> {
        if matches!(self.mode, Mode::Reading { .. }) || !self.children.is_empty() {
            return None;
        }
        let bytes = self.sides.iter().map(|side| side.unknown).sum();
        let stranger = Stranger::of(self.ends.addresses, self.info.opener, self.unread.as_deref());
        (bytes > 0).then_some((stranger, bytes))
    }

    /// Collects bytes until somebody recognises them; then reads them.
    pub(super) fn detect(
        &mut self,
        from: Side,
        seen: &Seen,
        bytes: &[u8],
        shared: &mut Shared,
        found: &mut dyn Found,
    ) {
        let side = &mut self.sides[from.index()];
        let head = if side.buffer.is_empty() {
            bytes
        } else {
            side.keep(seen, bytes);
            &side.buffer
        };
        match detect(&mut shared.protocols, &self.info, from, head) {
            Detection::Found { protocol, client } => {
                self.start_reading(protocol, client, shared);
                self.replay(from, seen, bytes, shared, found);
            }
            Detection::Unsure if head.len() < UNDECIDED => {
                if side.buffer.is_empty() {
                    side.keep(seen, bytes);
                }
            }
            Detection::Unsure | Detection::No => {
                // What is encrypted stays so, and looks like anything now and then.
                let hidden = is_tls(head);
                if side.buffer.is_empty() {
                    side.position += bytes.len() as u64;
                } else {
                    side.position += side.buffer.len() as u64;
                    side.forget_buffer();
                }
                if let Mode::Detecting { tries } = &mut self.mode {
                    *tries += 1;
                    if *tries >= TRIES || hidden {
                        self.mode = Mode::Unknown;
                        self.sides.iter_mut().for_each(SideState::forget_buffer);
                    }
                }
            }
        }
        if !matches!(self.mode, Mode::Reading { .. }) {
            self.look(from, bytes, shared, found);
        }
    }

    /// Counts bytes that nobody recognises; the first ones may tell what they are, and the name
    /// that a client asks for.
    pub(super) fn look(
        &mut self,
        from: Side,
        bytes: &[u8],
        shared: &mut Shared,
        found: &mut dyn Found,
    ) {
        let unknown = &mut self.sides[from.index()].unknown;
        let is_first = *unknown == 0;
        *unknown += bytes.len() as u64;
        if is_first && self.unread.is_none() {
            let told = unread(self.info.transport, from, bytes);
            self.unread = told.map(|told| Box::new(Told::of(told)));
        }
        let begins_tls = !is_first && self.turns_to_tls(bytes);
        // Who has heard an answer has asked.
        self.end_hello(from.other(), found);
        if (is_first || begins_tls) && self.info.transport == Transport::Tcp {
            self.hello = Some(Box::new(Hello { from, bytes: Vec::new(), wants: 0, tries: 0 }));
        }
        let Some(hello) = self.hello.as_mut().filter(|hello| hello.from == from) else { return };
        let told = hello.hear(bytes, shared);
        self.heard(from, told, found);
    }

    /// Whether a flow of a protocol that asks for TLS now turns to it; it is called after both then.
    fn turns_to_tls(&mut self, bytes: &[u8]) -> bool {
        let Some(told) = self.unread.as_mut().filter(|_| is_client_hello(bytes)) else {
            return false;
        };
        let both = then_tls(told.protocol);
        told.protocol = both.unwrap_or(told.protocol);
        both.is_some()
    }

    /// Nothing more comes of a ClientHello; what has come may do.
    pub(super) fn end_hello(&mut self, from: Side, found: &mut dyn Found) {
        if let Some(hello) = self.hello.take_if(|hello| hello.from == from) {
            let told = server_name(&hello.bytes);
            self.heard(from, told.filter(|told| matches!(told, ServerName::Asked(_))), found);
        }
    }

    /// What the beginning of one side tells of a name.
    fn heard(&mut self, from: Side, told: Option<ServerName>, found: &mut dyn Found) {
        let name = match told {
            Some(ServerName::Incomplete(_)) => return,
            Some(ServerName::Asked(name)) => Some(name),
            Some(ServerName::NotAsked) => None,
            None => {
                self.hello = None;
                return;
            }
        };
        self.hello = None;
        let server = from.other();
        // It may have come in pieces that were too small to tell anything.
        let unread = self.unread.get_or_insert_with(|| {
            Box::new(Told { protocol: "TLS", server: Some(server), name: None })
        });
        let Some(name) = name else { return };
        // What is asked for through a proxy is not the proxy.
        if self.outermost && self.info.handed.as_ref().is_none_or(|handed| handed.server.is_empty())
        {
            let [a, b] = self.ends.addresses;
            let server = if server == Side::A { a } else { b };
            found.named(self.ends.network, server, &name);
        }
        unread.name = Some(name);
    }

    pub(super) fn start_reading(&mut self, protocol: usize, client: Side, shared: &mut Shared) {
        let Some(instance) = shared.protocols.get_mut(protocol) else { return };
        let conn = instance.open(&self.info, client);
        self.sides.iter_mut().for_each(|side| side.unknown = 0);
        self.mode = Mode::Reading { protocol, conn, client };
        let is_stream = self.info.transport == Transport::Tcp;
        self.ends.client = is_stream.then(|| self.info.opener.unwrap_or(client));
        self.hello = None;
    }

    /// Reads what was collected on both sides, the older first, then the bytes at hand.
    fn replay(
        &mut self,
        from: Side,
        seen: &Seen,
        bytes: &[u8],
        shared: &mut Shared,
        found: &mut dyn Found,
    ) {
        let first = |side: &SideState| side.marks.front().map(|(_, seen)| (seen.at, seen.frame));
        let [a, b] = &self.sides;
        let order = match (first(a), first(b)) {
            (Some(a), Some(b)) if b < a => [Side::B, Side::A],
            _ => [Side::A, Side::B],
        };
        let held = !self.sides[from.index()].buffer.is_empty();
        for side in order {
            if !self.sides[side.index()].buffer.is_empty() {
                let last = self.sides[side.index()].last.unwrap_or(*seen);
                self.read(side, &last, &[], shared, found);
            }
        }
        if !held {
            self.read(from, seen, bytes, shared, found);
        }
    }

    /// After a handover: what this side has sent before it is for the new reader.
    pub(super) fn read_held(&mut self, from: Side, shared: &mut Shared, found: &mut dyn Found) {
        let side = &self.sides[from.index()];
        let Some(seen) = side.last.filter(|_| !side.buffer.is_empty()) else { return };
        if let Mode::Detecting { .. } = self.mode
            && let Detection::Found { protocol, client } =
                detect(&mut shared.protocols, &self.info, from, &side.buffer)
        {
            self.start_reading(protocol, client, shared);
        }
        if let Mode::Reading { .. } = self.mode {
            self.read(from, &seen, &[], shared, found);
        }
    }
}

/// The beginning of one side, as long as it may be a ClientHello that has not come whole.
pub(super) struct Hello {
    from: Side,
    /// What has come.
    bytes: Vec<u8>,
    /// How much is needed before looking at it again makes sense.
    wants: usize,
    tries: u32,
}

impl Hello {
    /// Bytes that are kept.
    pub(super) fn kept(&self) -> usize {
        self.bytes.len()
    }

    /// Takes the next bytes; says what is told with them.
    fn hear(&mut self, bytes: &[u8], shared: &mut Shared) -> Option<ServerName> {
        let told = if self.bytes.is_empty() {
            server_name(bytes)
        } else {
            self.bytes.extend_from_slice(bytes);
            if self.bytes.len() < self.wants {
                return Some(ServerName::Incomplete(self.wants));
            }
            server_name(&self.bytes)
        };
        let Some(ServerName::Incomplete(wants)) = told else { return told };
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(bytes);
        }
        self.wants = wants;
        self.tries += 1;
        if self.bytes.len() > LONGEST || self.tries > HELLO_TRIES {
            shared.lost("client_hello_too_long", 1);
            return None;
        }
        told
    }
}

/// Bytes of one side that are kept while nobody is sure whose they are.
const UNDECIDED: usize = 16 << 10;
/// Pieces of a flow that are looked at before it counts as unknown.
const TRIES: u32 = 32;
/// How often the beginning of a ClientHello is looked at: once for each of its records.
const HELLO_TRIES: u32 = 64;
