//! Where packets come from: files and pipes, memory, and a wrapper that spoils them for tests.

use crate::packet::{Batch, Timestamp};
use crate::source::interfaces::Interfaces;
use std::io;

pub mod report;
pub mod open;
pub mod interfaces;
mod walk;
mod pcap;
mod pcapng;
mod pace;
pub mod live;
pub mod alignment;
pub mod file;
pub mod rotation;
mod continuity;
mod reader;
pub mod merge;
pub mod memory;
pub mod faulty;

/// What a call of [`PacketSource::fill`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// The batch holds packets, and there may be more.
    More,
    /// Nothing arrived for a while; packet time has reached this moment.
    Idle(Timestamp),
    /// The batch may hold a last few packets; there are no more.
    End,
}

/// Gives packets in batches, so that no call is made per packet.
pub trait PacketSource: Send {
    /// Clears `batch` and puts the next packets into it.
    ///
    /// # Errors
    /// What the operating system said. A damaged capture is no error: it ends, and is counted.
    fn fill(&mut self, batch: &mut Batch) -> io::Result<Fill>;

    /// The interfaces that packets of the batches so far name; later ones are added at the end.
    fn interfaces(&self) -> &Interfaces;

    /// Whether packets come as they are captured, so that somebody waits for what is found in them.
    fn is_live(&self) -> bool {
        false
    }
}
