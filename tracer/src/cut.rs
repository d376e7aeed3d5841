//! Cuts the packets of chosen traces out of captures: reads them a second time and writes what is
//! wanted to another file, in the same order.
//!
//! Of a fragmented datagram it is known with the last fragment whether it is wanted. Until then
//! they wait, and so does what comes after them:
//!
//! ```text
//! ─▶ packet ─▶ fragment 1 ─▶ packet ─▶ … ─▶ fragment n: wanted or not ─▶ all of them are written
//! ```

use crate::config::Config;
use crate::pipeline::Surroundings;
use crate::wanted::Wanted;
use std::collections::VecDeque;
use std::io::{self, Write};
use wirespan_capture::decode::Decoder;
use wirespan_capture::packet::{Batch, PacketHead, Timestamp};
use wirespan_capture::savefile::Savefile;
use wirespan_capture::source::interfaces::Interfaces;
use wirespan_capture::source::{Fill, PacketSource};

/// What came of cutting.
#[derive(Debug)]
pub struct Cut {
    /// Packet time at the end.
    pub until: Timestamp,
    /// Whether it was stopped before the end.
    pub stopped: bool,
    /// What the source said, if it failed in the midst.
    pub source_error: Option<io::Error>,
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
    let mut comments = Vec::new();
    let mut outcome = Cut { until: Timestamp::default(), stopped: false, source_error: None };
    let mut packets = 0;
    loop {
        let fill = source.fill(&mut batch);
        packets += batch.packets.len() as u64;
        surroundings.filter(&mut batch);
        decoder.name_interfaces(source.interfaces());
        for head in &batch.packets {
            let segment = decoder.decode(&batch.buffer, head);
            comments.clear();
            if let Some(segment) = &segment {
                wanted.packet(segment, segment.payload(&batch.buffer).len(), &mut comments);
            }
            let bytes = batch.bytes(head);
            let interfaces = source.interfaces();
            let mut write = |head: &PacketHead, bytes: &[u8], comments: &[String]| {
                write(savefile, interfaces, files, head, bytes, comments)
            };
            match (decoder.datagram(), segment) {
                (None, None) => {}
                (None, Some(_)) if comments.is_empty() => {}
                (None, Some(_)) if queue.is_empty() => write(head, bytes, &comments)?,
                (None, Some(_)) => queue.put(head, bytes, Fate::Known(comments.clone())),
                (Some(datagram), None) => queue.put(head, bytes, Fate::Open(datagram)),
                (Some(datagram), Some(_)) => {
                    queue.put(head, bytes, Fate::Open(datagram));
                    queue.decide(datagram, &comments);
                }
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
    queue.give(Timestamp::LATEST, &mut |head, bytes, comments| {
        write(savefile, interfaces, files, head, bytes, comments)
    })?;
    Ok(outcome)
}

fn write<W: Write>(
    savefile: &mut Savefile<W>,
    interfaces: &Interfaces,
    files: &[String],
    head: &PacketHead,
    bytes: &[u8],
    comments: &[String],
) -> io::Result<()> {
    let Some(interface) = interfaces.get(head.interface) else { return Ok(()) };
    let path = files.get(usize::from(interface.file.0)).map_or("", String::as_str);
    let file = path.rsplit('/').next().unwrap_or(path);
    let comments: Vec<&str> = comments.iter().map(String::as_str).collect();
    savefile.packet(head, bytes, interface, &format!("from {file}"), &comments)
}

/// Packets that wait for the rest of a datagram, in order.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

struct Waiting {
    head: PacketHead,
    bytes: Box<[u8]>,
    fate: Fate,
}

/// Whether a packet is written.
enum Fate {
    /// That is known with the rest of this datagram.
    Open(u64),
    /// It is, with these comments; without any, it is not.
    Known(Vec<String>),
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn put(&mut self, head: &PacketHead, bytes: &[u8], fate: Fate) {
        self.bytes += bytes.len();
        self.waiting.push_back(Waiting { head: head.clone(), bytes: bytes.into(), fate });
    }

    fn decide(&mut self, datagram: u64, comments: &[String]) {
        for waiting in &mut self.waiting {
            if matches!(waiting.fate, Fate::Open(other) if other == datagram) {
                waiting.fate = Fate::Known(comments.to_vec());
            }
        }
    }

    /// Writes what need not wait any longer. Datagrams that stay incomplete are dropped, as they
    /// were when traces were made.
    fn give(
        &mut self,
        now: Timestamp,
        write: &mut impl FnMut(&PacketHead, &[u8], &[String]) -> io::Result<()>,
    ) -> io::Result<()> {
        while let Some(first) = self.waiting.front() {
            let too_old = first.head.at.plus(PATIENCE) < now;
            match &first.fate {
                Fate::Open(_) if !too_old && self.bytes <= ROOM => return Ok(()),
                Fate::Open(_) => {}
                Fate::Known(comments) if comments.is_empty() => {}
                Fate::Known(comments) => write(&first.head, &first.bytes, comments)?,
            }
            self.bytes -= first.bytes.len();
            self.waiting.pop_front();
        }
        Ok(())
    }
}

/// Nanoseconds for which a fragment waits for the others.
const PATIENCE: i64 = 30_000_000_000;
/// Bytes that may wait.
const ROOM: usize = 64 << 20;
