//! Cuts the packets of chosen traces out of captures: reads them a second time and writes what is
//! wanted to another file, in the same order.
//!
//! Of some packets it is known later whether they are wanted: of the fragments of a datagram with the
//! last one, of a SYN with its answer. Until then they wait, and so does what comes after them:
//!
//! ```text
//! ─▶ packet ─▶ fragment 1 ─▶ packet ─▶ … ─▶ fragment n: wanted or not ─▶ all of them are written
//! ```

use crate::config::Config;
use crate::owners::Owners;
use crate::pipeline::Surroundings;
use crate::wanted::{Told, Wanted};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use wirespan_capture::decode::{Decoder, Header, Payload, Segment};
use wirespan_capture::overwrite::overwrite;
use wirespan_capture::owner::{Owner, Process, Socket};
use wirespan_capture::packet::{Batch, Endpoint, NetworkId, PacketHead, TapId, Timestamp};
use wirespan_capture::savefile::Savefile;
use wirespan_capture::source::interfaces::Interfaces;
use wirespan_capture::source::{Fill, PacketSource};

/// What came of cutting.
#[derive(Debug, Default)]
pub struct Cut {
    /// Packet time at the end.
    pub until: Timestamp,
    /// Whether it was stopped before the end.
    pub stopped: bool,
    /// What the source said, if it failed in the midst.
    pub source_error: Option<io::Error>,
    /// Segments in IP fragments that are left out, since their secrets cannot be overwritten.
    pub fragments_left_out: u64,
}

/// Reads a source again that gave the spans that are wanted, and writes their packets; `files` are
/// the names of its files.
///
/// # Errors
/// What the operating system said on writing.
pub fn cut<W: Write>(
    source: &mut dyn PacketSource,
    surroundings: &mut dyn Surroundings,
    config: &Config,
    wanted: &mut Wanted,
    files: &[String],
    savefile: &mut Savefile<W>,
) -> io::Result<Cut> {
    let mut batch = Batch::default();
    let mut decoder = Decoder::with_points(config.points.clone());
    let mut queue = Queue::default();
    let mut outcome = Cut::default();
    let mut packets = 0;
    let mut known = Owners::default();
    let mut said = Said::default();
    loop {
        let fill = source.fill(&mut batch);
        packets += batch.packets.len() as u64;
        surroundings.filter(&mut batch);
        let interfaces = source.interfaces();
        decoder.name_interfaces(interfaces);
        let mut write = |waiting: &Waiting| waiting.write(savefile, interfaces, files, &mut said);
        for head in &batch.packets {
            let segment = decoder.decode(&batch.buffer, head);
            let owners = segment.as_ref().map_or_else(SmallVec::new, |segment| {
                for told in batch.owners(head) {
                    known.learn(segment.network, told.owner.clone());
                }
                owners_of(segment, &known)
            });
            let payload = segment.as_ref().map_or(0, |s| s.payload(&batch.buffer).len());
            let mut told = Told::default();
            if let Some(segment) = &segment {
                wanted.packet(segment, payload, &mut told);
            }
            let is_tcp = segment.as_ref().is_some_and(|s| matches!(s.header, Header::Tcp { .. }));
            let sanitize = wanted.sanitize && is_tcp;
            let hidden = if sanitize { told.hidden(payload) } else { Vec::new() };
            let mut comments = std::mem::take(&mut told.comments);
            if sanitize && decoder.datagram().is_some() && !comments.is_empty() {
                // Where the bytes of a segment lie in its fragments is not known.
                outcome.fragments_left_out += 1;
                comments.clear();
            }
            let datagram = decoder.datagram().map(Decider::Datagram);
            if let (Some(outer), Some(inner)) = (decoder.outer_datagram(), datagram) {
                queue.follow(Decider::Datagram(outer), inner);
            }
            let mut wait = |fate| {
                let mut waiting = Waiting::of(head, batch.bytes(head), fate);
                waiting.owners.clone_from(&owners);
                if let Some(segment) = &segment {
                    waiting.overwrite(segment, &hidden);
                }
                queue.put(waiting);
            };
            match (datagram, &segment) {
                (None, None) => {}
                (Some(datagram), None) => wait(Fate::Open(datagram)),
                (Some(datagram), Some(_)) => {
                    wait(Fate::Open(datagram));
                    queue.decide(datagram, &comments);
                }
                (None, Some(_)) if !comments.is_empty() => wait(Fate::Known(comments)),
                (None, Some(segment)) => match segment.header {
                    Header::Tcp { syn: true, ack: false, seq, .. } => {
                        let places = wanted.handshake(segment, &mut comments);
                        if places.is_some() {
                            wait(Fate::Open(Decider::Answer(segment.source, seq)));
                        }
                    }
                    Header::Tcp { syn: true, .. } => {
                        let places = wanted.handshake(segment, &mut comments);
                        let split = places.is_some_and(|places| is_split(&decoder, places));
                        if !segment.redirected && !split {
                            comments.clear();
                        }
                        if !comments.is_empty() {
                            wait(Fate::Known(comments.clone()));
                        }
                        let seq = segment.seen.ack.wrapping_sub(1);
                        queue.decide(Decider::Answer(segment.destination, seq), &comments);
                    }
                    _ => {}
                },
            }
            queue.give(decoder.now(), &mut write)?;
        }
        match fill {
            Ok(Fill::More) => {}
            Ok(Fill::Idle(now)) => decoder.advance(now),
            Ok(Fill::End) => break,
            Err(error) => {
                outcome.source_error = Some(error);
                break;
            }
        }
        if !surroundings.go_on(packets) {
            outcome.stopped = true;
            return Ok(outcome);
        }
    }
    outcome.until = decoder.now();
    let interfaces = source.interfaces();
    queue.give(Timestamp::LATEST, &mut |waiting| {
        waiting.write(savefile, interfaces, files, &mut said)
    })?;
    Ok(outcome)
}

/// Whether these places are two VLANs of one interface, one for each direction. Where they are, and
/// where a connection is redirected, only its handshake tells that its two sides are one.
fn is_split(decoder: &Decoder, places: [TapId; 2]) -> bool {
    let [one, other] = places.map(|place| decoder.taps().get(usize::from(place.0)));
    one != other && one.map(|tap| tap.interface) == other.map(|tap| tap.interface)
}

/// What shows whether a packet is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Decider {
    /// The rest of the datagram with this number.
    Datagram(u64),
    /// The answer to the SYN of this client with this sequence number.
    Answer(Endpoint, u32),
}

/// Whether a packet is written.
enum Fate {
    /// This will show it.
    Open(Decider),
    /// It is, with these comments; without any, it is not.
    Known(Vec<String>),
}

/// A packet that waits.
struct Waiting {
    head: PacketHead,
    bytes: Box<[u8]>,
    fate: Fate,
    /// Whose the sockets at its ends are.
    owners: SmallVec<[(NetworkId, Owner); 2]>,
}

impl Waiting {
    fn of(head: &PacketHead, bytes: &[u8], fate: Fate) -> Self {
        Self { head: head.clone(), bytes: bytes.into(), fate, owners: SmallVec::new() }
    }

    /// Overwrites these bytes of the payload.
    fn overwrite(&mut self, segment: &Segment, hidden: &[Range<usize>]) {
        let (Payload::InBatch(range), Header::Tcp { seq, .. }) = (&segment.payload, segment.header)
        else {
            return;
        };
        let [start, end] = [range.start, range.end]
            .map(|place| (place as usize).saturating_sub(self.head.bytes.start));
        if !hidden.is_empty() {
            overwrite(&mut self.bytes, start..end, seq, hidden);
        }
    }

    /// How much memory it takes, comments apart.
    fn weight(&self) -> usize {
        size_of::<Self>() + self.bytes.len()
    }

    fn write<W: Write>(
        &self,
        savefile: &mut Savefile<W>,
        interfaces: &Interfaces,
        files: &[String],
        said: &mut Said,
    ) -> io::Result<()> {
        let Fate::Known(comments) = &self.fate else { return Ok(()) };
        let Some(interface) = interfaces.get(self.head.interface) else { return Ok(()) };
        if comments.is_empty() {
            return Ok(());
        }
        let path = files.get(usize::from(interface.file.0)).map_or("", String::as_str);
        let file = path.rsplit('/').next().unwrap_or(path);
        let owners = self.owners.iter().filter(|(network, owner)| said.is_new(*network, owner));
        let owners: Vec<String> = owners.map(|(_, owner)| owner.to_string()).collect();
        let comments: Vec<&str> = comments.iter().chain(&owners).map(String::as_str).collect();
        savefile.packet(&self.head, &self.bytes, interface, &format!("from {file}"), &comments)
    }
}

/// Whose the sockets at the ends of a segment are.
fn owners_of(segment: &Segment, known: &Owners) -> SmallVec<[(NetworkId, Owner); 2]> {
    let datagrams = matches!(segment.header, Header::Udp);
    let [a, b] = [segment.source, segment.destination]
        .map(|end| SocketAddr::new(end.ip.to_canonical(), end.port));
    let found = [(a, b), (b, a)].map(|(a, b)| known.at(segment.network, datagrams, a, b));
    found.into_iter().flatten().map(|owner| (segment.network, owner)).collect()
}

/// What was written of sockets: each is said once.
#[derive(Default)]
struct Said(HashMap<(NetworkId, Socket), Arc<Process>, FixedState>);

impl Said {
    /// Whether it was not said yet.
    fn is_new(&mut self, network: NetworkId, owner: &Owner) -> bool {
        if self.0.len() >= SAID {
            // What is said once more does no harm.
            self.0.clear();
        }
        let before = self.0.insert((network, owner.socket), owner.process.clone());
        before.is_none_or(|before| before != owner.process)
    }
}

/// Packets that wait, in order.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// How many have been given.
    given: usize,
    /// What waits for a decision, by its number among all.
    open: HashMap<Decider, Vec<usize>, FixedState>,
}

impl Queue {
    fn put(&mut self, waiting: Waiting) {
        if let Fate::Open(decider) = waiting.fate {
            let number = self.given + self.waiting.len();
            self.open.entry(decider).or_default().push(number);
        }
        self.bytes += waiting.weight();
        self.waiting.push_back(waiting);
    }

    /// What waits for one decision waits for another one.
    fn follow(&mut self, decider: Decider, other: Decider) {
        let numbers = self.open.remove(&decider).unwrap_or_default();
        for number in &numbers {
            let place = number.checked_sub(self.given);
            if let Some(waiting) = place.and_then(|place| self.waiting.get_mut(place)) {
                waiting.fate = Fate::Open(other);
            }
        }
        self.open.entry(other).or_default().extend(numbers);
    }

    fn decide(&mut self, decider: Decider, comments: &[String]) {
        for number in self.open.remove(&decider).unwrap_or_default() {
            let place = number.checked_sub(self.given);
            if let Some(waiting) = place.and_then(|place| self.waiting.get_mut(place)) {
                waiting.fate = Fate::Known(comments.to_vec());
            }
        }
    }

    /// Gives what need not wait any longer. What stays open is dropped: datagrams that are never
    /// complete have made no traces.
    fn give(
        &mut self,
        now: Timestamp,
        write: &mut impl FnMut(&Waiting) -> io::Result<()>,
    ) -> io::Result<()> {
        while let Some(first) = self.waiting.front() {
            if let Fate::Open(decider) = &first.fate {
                if first.head.at.plus(PATIENCE) >= now && self.bytes <= ROOM {
                    break;
                }
                self.open.remove(decider);
            }
            write(first)?;
            self.bytes -= first.weight();
            self.given += 1;
            self.waiting.pop_front();
        }
        Ok(())
    }
}

/// Sockets of which it is known that they were said.
const SAID: usize = 1 << 16;
/// Nanoseconds for which a packet waits for what decides about it.
const PATIENCE: i64 = 30_000_000_000;
/// Bytes that may wait.
const ROOM: usize = 64 << 20;
